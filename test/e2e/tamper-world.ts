import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { freePort } from '../../src/cli/machine.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { createEmbeddedLedger } from '../../src/ledger/embedded/create.ts';
import { openEmbeddedLedger } from '../../src/ledger/embedded/embedded.ts';
import { type OpenPorts, openPorts } from '../../src/runtime/ports.ts';
import { formatCheckpoint, parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { EMPTY_EDGE, growEdge, rootHash } from '../../src/tlog/edge.ts';
import type { Hash } from '../../src/tlog/hash.ts';
import { parseSigningKey } from '../../src/tlog/key.ts';
import { formatNote, parseNote } from '../../src/tlog/note.ts';
import { openLedgerCopy } from '../../src/verify/ledger-copy.ts';
import type { Verification } from '../../src/verify/verification.ts';
import { append } from '../conformance/ledger-workload.ts';
import { initWaybill, startWaybill, until, type WaybillProcess } from '../crash/process.ts';
import { type Producer, startProducer } from '../crash/producer.ts';
import { type NoteSigner, noteSigner, sha256 } from '../doubles/note-signer.ts';

/** What stands in a ledger, in the order of its frames. */
export type Item = { readonly kind: 'entry'; readonly line: string } | { readonly kind: 'head'; readonly note: string };

/** A ledger that the real server wrote under load, twice looked at: in the middle and at the end. */
export interface TamperWorld {
  readonly directory: string;
  /** The configuration of the server. */
  readonly file: string;
  readonly port: number;
  /** The ledger as the server left it. */
  readonly ledger: string;
  /** The same in mid-load, copied while the server was stopped: a snapshot. */
  readonly snapshot: string;
  /** How many entries that has. */
  readonly snapshotSize: number;
  /** The head that somebody kept in mid-load. */
  readonly earlierHead: string;
  /** The newest one that somebody kept. */
  readonly laterHead: string;
  /** The checkpoint that the destination holds. */
  readonly destinationHead: string;
  readonly verifierKey: string;
  /** The stolen private key of the log. */
  readonly thief: NoteSigner;
  readonly origin: string;
  readonly items: readonly Item[];
  readonly size: number;
  start(): Promise<WaybillProcess>;
  /** A directory for a changed copy. */
  place(): string;
  /** A copy of the ledger as it is. */
  copy(from?: string): string;
  /**
   * Writes a ledger with these items as who has the disk and the program can: every checksum and number in the files is right. The stored
   * hashes are those of the honest one.
   */
  forge(items: readonly Item[], hashes?: 'kept' | 'gone'): Promise<string>;
  /** Runs `waybill verify` with these words. */
  verify(...words: readonly string[]): Promise<{ readonly code: number; readonly result: Verification }>;
  remove(): Promise<void>;
}

const ORIGIN = 'acme.example/audit';

/** How many events each of the two loads has at least. */
const EVENTS = 4_000;

/** Lets the real server write a ledger under load. */
export async function openTamperWorld(): Promise<TamperWorld> {
  const directory = mkdtempSync(`${tmpdir()}/waybill-tamper-`);
  const port = await freePort();
  const file = initWaybill(
    directory,
    `ledger: { origin: ${ORIGIN}, path: ./data, segment: 1MiB }
api: { listen: 127.0.0.1:${port} }
sources:
  app: { type: http, schema: json, id_field: id }
  shop: { type: http, schema: json, id_field: id }
destinations: { kept: { type: file, path: ./kept.ndjson, start: beginning } }
`,
  );
  const start = (): Promise<WaybillProcess> => startWaybill(file, port);
  const destinationHead = `${directory}/kept.ndjson.checkpoint`;
  await load(await start(), destinationHead, 'some');
  const snapshot = `${directory}/snapshot`;
  cpSync(`${directory}/data`, snapshot, { recursive: true });
  await load(await start(), destinationHead, 'more');
  const ports = await openPorts({ logLevel: 'error' });
  const ledger = `${directory}/data`;
  const items = await itemsOf(ledger, ports);
  const before = await itemsOf(snapshot, ports);
  const snapshotSize = before.filter(({ kind }) => kind === 'entry').length;
  const earlierHead = `${directory}/earlier.checkpoint`;
  const laterHead = `${directory}/later.checkpoint`;
  writeFileSync(earlierHead, newestHead(before));
  writeFileSync(laterHead, newestHead(items));
  let places = 0;
  const place = (): string => `${directory}/changed-${places++}`;
  const seed = parseSigningKey(readFileSync(`${directory}/keys/log.key`, 'utf8').trim()).seed;
  return {
    directory,
    file,
    port,
    ledger,
    snapshot,
    snapshotSize,
    earlierHead,
    laterHead,
    destinationHead,
    verifierKey: readFileSync(`${directory}/keys/log.vkey`, 'utf8').trim(),
    thief: noteSigner(ORIGIN, seed),
    origin: ORIGIN,
    items,
    size: items.filter(({ kind }) => kind === 'entry').length,
    start,
    place,
    copy(from = ledger) {
      const to = place();
      cpSync(from, to, { recursive: true });
      return to;
    },
    async forge(changed, hashes = 'kept') {
      const path = place();
      await writeItems(path, changed, ports);
      if (hashes === 'kept') cpSync(`${ledger}/tree`, `${path}/tree`, { recursive: true });
      return path;
    },
    verify: (...words) => runVerify(words),
    async remove() {
      await ports.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function newestHead(items: readonly Item[]): string {
  const head = items.findLast((item) => item.kind === 'head');
  assert.ok(head !== undefined, 'the server signed a head');
  return head.note;
}

/** Two sources at once until so many events are acknowledged, and everything of it is delivered and under a head. */
async function load(server: WaybillProcess, checkpoint: string, word: string): Promise<void> {
  const before = headSize(checkpoint);
  const producers: readonly Producer[] = ['app', 'shop'].map((source) => startProducer(server.url, 2, 50, `?source=${source}`, word));
  await until('the load', () => producers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0) >= EVENTS);
  await Promise.all(producers.map((producer) => producer.finish()));
  await until('the destination to have a newer checkpoint', () => headSize(checkpoint) >= before + EVENTS);
  assert.equal(await server.end('SIGTERM'), 0, server.log());
}

/** How many entries the head in a file covers; 0 while there is none. */
function headSize(file: string): number {
  return existsSync(file) ? parseCheckpoint(parseNote(readFileSync(file)).text).size : 0;
}

async function itemsOf(path: string, ports: OpenPorts): Promise<readonly Item[]> {
  const opened = await openLedgerCopy(path, ports);
  assert.ok(opened.ok);
  const items: Item[] = [];
  for await (const piece of opened.copy.pieces()) {
    assert.notEqual(piece.kind, 'finding');
    if (piece.kind === 'head' && piece.file.startsWith('segments/')) items.push({ kind: 'head', note: Buffer.from(piece.note).toString() });
    if (piece.kind !== 'entries') continue;
    const { bytes, starts, ends } = piece;
    for (const [k, at] of starts.entries()) items.push({ kind: 'entry', line: Buffer.from(bytes.subarray(at, ends[k])).toString() });
  }
  await opened.copy.close();
  return items;
}

async function writeItems(path: string, items: readonly Item[], ports: OpenPorts): Promise<void> {
  const options = { origin: ORIGIN, path, limitBytes: null, segmentBytes: 1 << 20, reservedBytes: 4_096 };
  await createEmbeddedLedger(options, ports);
  const ledger = await openEmbeddedLedger({ ...options, ringBytes: 1 << 20, aheadBytes: 1 << 20, groupBytes: 1 << 20 }, ports);
  let lines: string[] = [];
  const flush = async (): Promise<void> => {
    const entries = lines;
    lines = [];
    if (entries.length > 0) await append(ledger, { kind: 'run', source: 'app', partition: null, position: null, closes: false, entries });
  };
  for (const item of items) {
    if (item.kind === 'entry') {
      lines.push(item.line);
      if (lines.length === 100) await flush();
      continue;
    }
    await flush();
    const value = JSON.stringify({ v: 1, size: 0, root: '', checkpoint: item.note, published: null });
    await ledger.register.set('tree.head', value, ledger.register.get('tree.head'));
  }
  await flush();
  await ledger.close();
}

/** Signs every head anew, over the entries that now stand before it: what only who has the private key can do. */
export function signedAgain(items: readonly Item[], key: NoteSigner): readonly Item[] {
  const roots = rootsOf(items);
  return items.map((item) => {
    if (item.kind === 'entry') return item;
    const { origin, size } = parseCheckpoint(parseNote(Buffer.from(item.note)).text);
    return signedHead(origin, Math.min(size, roots.length - 1), roots, key);
  });
}

/** The head over all entries. */
export function headOver(items: readonly Item[], origin: string, key: NoteSigner): Item {
  const roots = rootsOf(items);
  return signedHead(origin, roots.length - 1, roots, key);
}

function signedHead(origin: string, size: number, roots: readonly Hash[], key: NoteSigner): Item {
  const text = formatCheckpoint({ origin, size, root: roots[size] ?? '' });
  return { kind: 'head', note: formatNote(text, [key.sign(text)]) };
}

/** The root of every size. */
function rootsOf(items: readonly Item[]): readonly Hash[] {
  let edge = EMPTY_EDGE;
  const roots = [rootHash(sha256, edge)];
  for (const item of items) {
    if (item.kind !== 'entry') continue;
    const bytes = Buffer.from(item.line);
    edge = growEdge(sha256, edge, bytes, Uint32Array.of(0), Uint32Array.of(bytes.length));
    roots.push(rootHash(sha256, edge));
  }
  return roots;
}

/** The command, in this process. */
async function runVerify(words: readonly string[]): Promise<{ readonly code: number; readonly result: Verification }> {
  const out: string[] = [];
  let code = -1;
  const terminal = { out: (line: string) => void out.push(line), err: () => {}, drained: () => Promise.resolve() };
  const program = buildProgram(terminal, (given) => {
    code = given;
  });
  await program.parseAsync(['verify', ...words, '--json'], { from: 'user' });
  return { code, result: JSON.parse(out.join('\n')) as Verification };
}
