import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { asSize } from '../../src/contracts/units.ts';
import { createEmbeddedLedger } from '../../src/ledger/embedded/create.ts';
import { type EmbeddedLedger, openEmbeddedLedger } from '../../src/ledger/embedded/embedded.ts';
import type { EmbeddedOptions } from '../../src/ledger/embedded/options.ts';
import { openDisk } from '../../src/runtime/disk.ts';
import { openPorts } from '../../src/runtime/ports.ts';
import { formatCheckpoint } from '../../src/tlog/checkpoint.ts';
import { type Edge, EMPTY_EDGE, growEdge, rootHash } from '../../src/tlog/edge.ts';
import { encodeHash, type Hash } from '../../src/tlog/hash.ts';
import { formatNote } from '../../src/tlog/note.ts';
import { type NoteSigner, noteSigner, sha256 } from './note-signer.ts';

/** The log of these tests. */
export const ORIGIN = 'test.example/audit';

/** Makes a key from a number; `freshness` is a cosigner under a name of its own. */
export function testKey(number: number, use: 'log' | 'freshness' = 'log'): NoteSigner {
  return use === 'log' ? noteSigner(ORIGIN, number) : noteSigner(`${ORIGIN}/freshness`, number, 4);
}

/** A note over a tree, signed by these keys. */
export function signedNote(size: number, root: Hash, keys: readonly NoteSigner[]): string {
  const text = formatCheckpoint({ origin: ORIGIN, size, root });
  return formatNote(
    text,
    keys.map((key) => key.sign(text)),
  );
}

/** Entries one behind the other, of one source. */
interface Written {
  readonly source: string;
  readonly entries: readonly string[];
}

/** A real embedded ledger in a directory of its own, whose heads are recorded by the test. */
export interface SealedLedger {
  readonly path: string;
  readonly ledger: EmbeddedLedger;
  /** Every entry that was appended. */
  readonly entries: readonly string[];
  /** Appends events of a source in runs of `run`. */
  append(source: string, count: number, run?: number): Promise<void>;
  /** Appends whole lines as they are. */
  appendLines(written: Written): Promise<void>;
  /** Appends a control entry. */
  control(event: Readonly<Record<string, unknown>>): Promise<void>;
  /** Signs the head of everything that was appended, and records it. */
  seal(keys: readonly NoteSigner[]): Promise<string>;
  close(): Promise<void>;
  /** Closes and removes everything. */
  remove(): Promise<void>;
}

/** Creates the ledger. Segments are small, so that there are many. */
export async function createSealedLedger(segmentBytes = 64 * 1_024): Promise<SealedLedger> {
  const directory = mkdtempSync(`${tmpdir()}/waybill-verify-`);
  const path = `${directory}/data`;
  const options: EmbeddedOptions = {
    origin: ORIGIN,
    path,
    limitBytes: null,
    segmentBytes,
    reservedBytes: 4_096,
    ringBytes: 1 << 20,
    aheadBytes: 64 * 1_024,
    groupBytes: 1 << 20,
  };
  const disk = openDisk();
  const ports = await openPorts({ logLevel: 'error' });
  await createEmbeddedLedger(options, { ...ports, disk });
  const ledger = await openEmbeddedLedger(options, { ...ports, disk });
  const entries: string[] = [];
  const numbers = new Map<string, number>();
  let edge: Edge = EMPTY_EDGE;
  let open = true;

  const appendLines = async ({ source, entries: lines }: Written): Promise<void> => {
    const parts = lines.map((line) => Buffer.from(line));
    const bytes = Buffer.concat(parts);
    const offsets = new Uint32Array(parts.length + 1);
    for (const [k, part] of parts.entries()) offsets[k + 1] = (offsets[k] ?? 0) + part.length;
    const room = await ledger.reserve(parts.length, bytes.length);
    await ledger.append({ source, partition: null, position: null, bytes, offsets, count: parts.length }, asSize(ledger.assigned()), room);
    edge = growEdge(sha256, edge, bytes, offsets.slice(0, -1), offsets.slice(1));
    entries.push(...lines);
  };
  const line = (source: string, event: Readonly<Record<string, unknown>>): string => {
    const n = numbers.get(source) ?? 0;
    numbers.set(source, n + 1);
    const at = new Date(1_796_000_000_000 + entries.length).toISOString();
    const place = `"source":"${source}","n":${n},"partition":null,"position":null`;
    const rest = `"received_at":"${at}","id":"${source}-${n}","schema":"json","event":${JSON.stringify(event)}`;
    return `{"v":1,${place},${rest}}`;
  };
  const close = async (): Promise<void> => {
    if (open) await ledger.close();
    open = false;
  };
  return {
    path,
    ledger,
    entries,
    appendLines,
    async append(source, count, run = 50) {
      for (let left = count; left > 0; left -= run) {
        const some = Array.from({ length: Math.min(run, left) }, (_, k) => line(source, { k, text: 'x'.repeat((k * 7) % 300) }));
        await appendLines({ source, entries: some });
      }
    },
    control: (event) => appendLines({ source: 'waybill', entries: [line('waybill', event)] }),
    async seal(keys) {
      const root = rootHash(sha256, edge);
      const checkpoint = signedNote(edge.size, root, keys);
      const value = JSON.stringify({ v: 1, size: edge.size, root: encodeHash(root), checkpoint, published: null });
      await ledger.register.set('tree.head', value, ledger.register.get('tree.head'));
      return checkpoint;
    },
    close,
    async remove() {
      await close();
      await disk.close();
      await ports.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
