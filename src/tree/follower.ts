import { crc32c } from '@node-rs/crc32';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Ports } from '../contracts/ports.ts';
import { asIndex, asSize, type Size } from '../contracts/units.ts';
import type { Edge } from '../tlog/edge.ts';
import { EMPTY_EDGE, rootHash } from '../tlog/edge.ts';
import { GROW_JOB, type GrowInput, sha256 } from './grow.ts';

/** How many entries and bytes go to the hashing thread at a time: large enough that the hop costs nothing per entry. */
const STEP = { entries: 4_096, bytes: 2 << 20 };

/**
 * How long entries gather before they are hashed, once the tree has caught up. Nobody waits for the tree, and a hop for each commit group
 * would cost more than the hashes.
 */
const GATHER_MS = 25;

/** The edge is stored after this many entries, so that a start hashes at most so many again. */
const STORE_EVERY = 1 << 20;

/** The register key of the pinned edge. */
const PIN_KEY = 'tree.edge';

/** What the tree needs of the ledger. */
export type FollowedLedger = Pick<Ledger, 'read' | 'size' | 'beginning' | 'waitBeyond' | 'register'>;

/** A head of the tree that was computed and not signed: the root over the first `size` entries, in base64. */
export interface TreeHead {
  readonly size: number;
  readonly root: string;
}

/** The tree that follows the ledger. */
export interface Tree {
  /** The newest head that was computed. It covers only durable entries. */
  head(): TreeHead;
  /**
   * Puts the edge into the ledger's own register, and answers how many entries it covers: the tree never needs them again, also when its
   * own files are lost, so retention may remove them.
   */
  pin(): Promise<Size>;
  /** Resolves with the reason when following ended by an error, and never otherwise. */
  readonly failed: Promise<Error>;
  /** Stores the edge and stops. */
  close(): Promise<void>;
}

/**
 * Follows the ledger in order, off the acknowledgement path: only durable entries are hashed, in the background, and nobody waits for it.
 * The edge in `DIRECTORY/edge` is derived state: when it is missing or damaged, everything is hashed again, from the first entry or from
 * the edge that was pinned before retention removed the ones below.
 */
export async function openTree(
  directory: string,
  ledger: FollowedLedger,
  ports: Pick<Ports, 'clock' | 'disk' | 'background' | 'log'>,
): Promise<Tree> {
  await ports.disk.makeDirectory(directory);
  const file = `${directory}/edge`;
  let edge = await loadEdge(ports, file, ledger);
  let stored = edge.size;
  let memory = new Uint8Array(new SharedArrayBuffer(0));
  const stop = new AbortController();

  const follow = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      if (ledger.size() === edge.size) {
        await ledger.waitBeyond(asSize(edge.size), stop.signal);
        await ports.clock.sleep(GATHER_MS, stop.signal);
      }
      const batch = await ledger.read(asIndex(edge.size), STEP);
      // The bytes go over in memory that both threads see, and that is used again for every step: nothing is left to be collected.
      if (memory.length < batch.bytes.length) memory = new Uint8Array(new SharedArrayBuffer(Math.max(STEP.bytes, batch.bytes.length)));
      memory.set(batch.bytes);
      const input = { edge, bytes: memory, starts: batch.starts, ends: batch.ends };
      edge = (await ports.background.run(GROW_JOB, input satisfies GrowInput)) as Edge;
      if (edge.size - stored >= STORE_EVERY) {
        await storeEdge(ports, directory, file, edge);
        stored = edge.size;
      }
    }
  };

  const failed = Promise.withResolvers<Error>();
  const following = follow().catch((error: unknown) => {
    if (!stop.signal.aborted) failed.resolve(error instanceof Error ? error : new Error(String(error)));
  });

  let headSize = -1;
  let head: TreeHead = { size: 0, root: '' };
  return {
    head() {
      if (edge.size !== headSize) {
        head = { size: edge.size, root: Buffer.from(rootHash(sha256, edge), 'latin1').toString('base64') };
        headSize = edge.size;
      }
      return head;
    },
    async pin() {
      const pinned = ledger.register.get(PIN_KEY);
      const { size } = edge;
      if (parseEdge(pinned)?.size !== size) await ledger.register.set(PIN_KEY, edgeText(edge), pinned);
      return asSize(size);
    },
    failed: failed.promise,
    async close() {
      stop.abort(new Error('the tree is closed'));
      await following;
      if (edge.size !== stored) await storeEdge(ports, directory, file, edge);
    },
  };
}

/** The stored edge when it is whole and the ledger still has what follows it; else the pinned one; else the empty one. */
async function loadEdge(
  ports: Pick<Ports, 'disk' | 'log'>,
  file: string,
  ledger: Pick<Ledger, 'size' | 'beginning' | 'register'>,
): Promise<Edge> {
  const usable = (edge: Edge | null): edge is Edge => edge !== null && edge.size <= ledger.size() && edge.size >= ledger.beginning();
  if ((await ports.disk.length(file)) !== null) {
    const edge = parseEdge(checkedText(await readAll(ports, file)));
    if (usable(edge)) return edge;
    ports.log.warn('the stored edge of the tree is not usable; the tree is built again', { file });
  }
  const pinned = parseEdge(ledger.register.get(PIN_KEY));
  if (usable(pinned)) return pinned;
  if (ledger.beginning() === 0) return EMPTY_EDGE;
  throw new WaybillError('LEDGER_CORRUPT', `${file} is damaged or missing, and entries below ${ledger.beginning()} are no longer there`, {
    facts: { file, offset: 0 },
  });
}

async function readAll(ports: Pick<Ports, 'disk'>, path: string): Promise<Uint8Array> {
  const file = await ports.disk.open(path, 'read');
  try {
    return await file.read(0, await file.length());
  } finally {
    await file.close();
  }
}

/** The file is one line of JSON, its CRC-32C in hexadecimal before it. */
async function storeEdge(ports: Pick<Ports, 'disk' | 'log'>, directory: string, path: string, edge: Edge): Promise<void> {
  const text = edgeText(edge);
  const temporary = `${path}.tmp`;
  try {
    const file = await ports.disk.open(temporary, 'create');
    try {
      await file.truncate(0);
      await file.commit(Buffer.from(`${crc32c(text).toString(16).padStart(8, '0')} ${text}\n`), 0);
    } finally {
      await file.close();
    }
    await ports.disk.rename(temporary, path);
    await ports.disk.syncDirectory(directory);
  } catch (error) {
    // The edge can be computed again, so a full disk costs a longer start and nothing else.
    if (!isWaybillError(error) || error.code !== 'DISK_FULL') throw error;
    ports.log.warn('no space to store the edge of the tree', { path });
  }
}

function edgeText(edge: Edge): string {
  return JSON.stringify({ v: 1, size: edge.size, hashes: edge.hashes.map((hash) => Buffer.from(hash, 'latin1').toString('base64')) });
}

/** The line of JSON in a stored edge, or `null` when it is not whole. */
function checkedText(bytes: Uint8Array): string | null {
  const line = Buffer.from(bytes).toString('utf8');
  const text = line.slice(9, -1);
  return line.length < 10 || crc32c(text) !== Number.parseInt(line.slice(0, 8), 16) ? null : text;
}

function parseEdge(text: string | null): Edge | null {
  if (text === null) return null;
  const { size, hashes } = JSON.parse(text) as { size: number; hashes: readonly string[] };
  return { size, hashes: hashes.map((hash) => Buffer.from(hash, 'base64').toString('latin1')) };
}
