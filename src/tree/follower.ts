import { assert } from '../contracts/assert.ts';
import { isWaybillError, type WaybillError } from '../contracts/errors.ts';
import type { TreeHashes } from '../contracts/heads.ts';
import type { Ports } from '../contracts/ports.ts';
import { asIndex, asSize, type Size } from '../contracts/units.ts';
import type { Edge } from '../tlog/edge.ts';
import { rootHash } from '../tlog/edge.ts';
import { encodeHash } from '../tlog/hash.ts';
import { TILE_WIDTH } from '../tlog/tile.ts';
import { edgeText, writeEdgeFile } from './edge-file.ts';
import type { FollowedLedger } from './followed.ts';
import { GROW_JOB, type GrowInput, grownBytesMax, sha256 } from './grow.ts';
import { Hashes } from './hashes.ts';
import { loadTop, PIN_KEY } from './load-top.ts';
import { type FullTile, RECORD_BYTES } from './pack-format.ts';
import { Packs } from './packs.ts';
import { growTop, type Top } from './top.ts';

/** How many entries and bytes go to the hashing thread at a time: large enough that the hop costs nothing per entry. */
const STEP = { entries: 4_096, bytes: 2 << 20 };

/**
 * How long entries gather before they are hashed, once the tree has caught up. Nobody waits for the tree, and a hop for each commit group
 * would cost more than the hashes.
 */
const GATHER_MS = 25;

/** The edge is stored after this many entries, so that a start hashes at most so many again. */
const STORE_EVERY = 1 << 18;

/** How long the tree waits before it tries again to write to a full disk. */
const FULL_DISK_MS = 1_000;

/** Who is this far behind says from time to time how far it has come. */
const PROGRESS_ENTRIES = 1 << 20;

/** A head of the tree that was computed and not signed: the root over the first `size` entries, in base64. */
export interface TreeHead {
  readonly size: number;
  readonly root: string;
}

/** The files of the tree as an operator sees them. */
export interface TreeStatus {
  /** What its hashes take on the disk. */
  readonly bytes: number;
  /** What it waits for; `null` while it follows the ledger. */
  readonly fault: { readonly code: string; readonly message: string; readonly action: string } | null;
}

/** The tree that follows the ledger, with all its hashes. */
export interface Tree extends TreeHashes {
  /** The newest head that was computed. It covers only durable entries. */
  head(): TreeHead;
  status(): TreeStatus;
  /**
   * Makes the tree independent of the entries below `to`, which is at most `size()`: retention may remove those. Their hashes are in the
   * packs, checked, and the edge at this size is in the ledger's own register, so that proofs about later entries can be made even when the
   * files of the tree are lost. Rejects with `LEDGER_CORRUPT` where the entries are not those that were hashed.
   */
  pin(to: Size): Promise<void>;
  /**
   * Reads every full tile, makes those again that are lost or damaged, and answers how many were read and how many of them nobody knows
   * any more. Rejects with `LEDGER_CORRUPT`, and with the signal's reason.
   */
  scrub(signal: AbortSignal): Promise<{ readonly tiles: number; readonly lost: number }>;
  /** Resolves with the reason when following ended by an error, and never otherwise. */
  readonly failed: Promise<Error>;
  /** Stores the edge and stops. */
  close(): Promise<void>;
}

/** How the tree is opened. */
export interface TreeOptions {
  /** After how many entries the edge is stored; 262,144 when absent. */
  readonly storeEvery?: number;
}

type TreePorts = Pick<Ports, 'clock' | 'disk' | 'background' | 'log'>;

/**
 * Follows the ledger in order, off the acknowledgement path: only durable entries are hashed, in the background, and nobody waits for it.
 * What is in `directory` is derived state: when it is missing or damaged, everything is hashed again, from the first entry or from the
 * edge that was pinned before retention removed the ones below. A full disk delays the tree and nothing else.
 */
export async function openTree(directory: string, ledger: FollowedLedger, ports: TreePorts, options: TreeOptions = {}): Promise<Tree> {
  const packDirectory = `${directory}/packs`;
  await ports.disk.makeDirectory(packDirectory);
  const packs = new Packs(packDirectory, ledger.origin, ports);
  try {
    const top = await loadTop(directory, ledger, packs, ports);
    return new Follower({ directory, ledger, ports, packs, storeEvery: options.storeEvery ?? STORE_EVERY }, top).tree();
  } catch (error) {
    await packs.close();
    throw error;
  }
}

interface FollowerParts {
  readonly directory: string;
  readonly ledger: FollowedLedger;
  readonly ports: TreePorts;
  readonly packs: Packs;
  readonly storeEvery: number;
}

class Follower {
  readonly #parts: FollowerParts;
  readonly #hashes: Hashes;
  readonly #stop = new AbortController();
  #top: Top;
  /** How many entries the stored edge covers, and the pinned one. */
  #stored: number;
  #pinned = -1;
  #storing: Promise<unknown> = Promise.resolve();
  /** Memory that both threads see and that is used again for every step: nothing is left to be collected. */
  #bytes = new Uint8Array(new SharedArrayBuffer(0));
  readonly #made = new Uint8Array(new SharedArrayBuffer(grownBytesMax(STEP.entries)));
  #told = 0;
  #head: TreeHead | null = null;
  #fault: WaybillError | null = null;

  constructor(parts: FollowerParts, top: Top) {
    this.#parts = parts;
    this.#top = top;
    this.#stored = top.edge.size;
    this.#told = top.edge.size;
    const { packs, ledger, ports } = parts;
    this.#hashes = new Hashes({ top: () => this.#top, packs, ledger, log: ports.log });
  }

  tree(): Tree {
    const failed = Promise.withResolvers<Error>();
    let whole = true;
    const following = this.#follow().catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      whole = false;
      failed.resolve(error instanceof Error ? error : new Error(String(error)));
    });
    const hashes = this.#hashes;
    return {
      head: () => this.#newestHead(),
      status: () => this.#status(),
      size: () => hashes.size(),
      hash: (level, index) => hashes.hash(level, index),
      tile: (level, n, width) => hashes.tile(level, n, width),
      root: (size) => hashes.root(size),
      inclusion: (index, size) => hashes.inclusion(index, size),
      consistency: (from, to) => hashes.consistency(from, to),
      pin: (to) => this.#pin(to),
      scrub: (signal) => this.#scrub(signal),
      failed: failed.promise,
      close: async () => {
        this.#stop.abort(new Error('the tree is closed'));
        await following;
        // After an error nobody knows what the packs hold on the disk; the next start goes on from the last stored edge.
        if (whole) await this.#store();
        await this.#parts.packs.close();
      },
    };
  }

  async #follow(): Promise<void> {
    const { ledger, ports, storeEvery } = this.#parts;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      if (ledger.size() === this.#top.edge.size) {
        await ledger.waitBeyond(asSize(this.#top.edge.size), signal);
        await ports.clock.sleep(GATHER_MS, signal);
      }
      await this.#grow();
      if (this.#top.edge.size - this.#stored >= storeEvery) await this.#store();
      this.#tellProgress();
    }
  }

  /** Hashes what follows, in one step. The tree has grown once the tiles that became full are written. */
  async #grow(): Promise<void> {
    const { ledger, ports, packs } = this.#parts;
    const { edge } = this.#top;
    const batch = await ledger.read(asIndex(edge.size), STEP);
    const { length } = batch.bytes;
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(new SharedArrayBuffer(Math.max(STEP.bytes, length)));
    this.#bytes.set(batch.bytes);
    const input: GrowInput = { edge, bytes: this.#bytes, starts: batch.starts, ends: batch.ends, hashes: this.#made };
    const next = (await ports.background.run(GROW_JOB, input)) as Edge;
    const { top, full } = growTop(this.#top, next, this.#made);
    while (!(await this.#written(full, packs))) await ports.clock.sleep(FULL_DISK_MS, this.#stop.signal);
    this.#top = top;
  }

  /** Writes full tiles. Answers whether there was space for them. */
  async #written(full: readonly FullTile[], packs: Packs): Promise<boolean> {
    const { log } = this.#parts.ports;
    const facts = { size: this.#top.edge.size };
    try {
      await packs.write(full);
      if (this.#fault !== null) log.info('the hashes of the tree are written again', facts);
      this.#fault = null;
      return true;
    } catch (error) {
      if (!isFull(error)) throw error;
      if (this.#fault === null) log.warn('no space for the hashes of the tree, which waits; events are accepted and delivered', facts);
      this.#fault = error;
      return false;
    }
  }

  /** Stores the edge, after everything that it covers. */
  #store(): Promise<void> {
    const stored = this.#storing.then(() => this.#storeNow());
    this.#storing = stored.catch(() => undefined);
    return stored;
  }

  async #storeNow(): Promise<void> {
    const { directory, ports, packs } = this.#parts;
    const top = this.#top;
    if (top.edge.size === this.#stored) return;
    await packs.sync();
    try {
      await writeEdgeFile(ports.disk, directory, top);
    } catch (error) {
      // The edge can be computed again, so a full disk costs a longer start and nothing else.
      if (!isFull(error)) throw error;
      ports.log.warn('no space to store the edge of the tree', { directory });
      return;
    }
    this.#stored = top.edge.size;
  }

  async #pin(to: Size): Promise<void> {
    const { ledger, packs } = this.#parts;
    assert(to <= this.#top.edge.size, `${to} entries are not in the tree yet`);
    if (to === this.#pinned) return;
    for (let n = Math.floor(ledger.beginning() / TILE_WIDTH); (n + 1) * TILE_WIDTH <= to; n++) await this.#hashes.check(0, n);
    // Without space for the edge its place in the register is enough: whoever frees space must not wait for some.
    if (this.#stored < to) await this.#store();
    await packs.sync();
    const pinned = ledger.register.get(PIN_KEY);
    const text = edgeText(await this.#hashes.edgeAt(to));
    if (pinned !== text) await ledger.register.set(PIN_KEY, text, pinned);
    this.#pinned = to;
  }

  async #scrub(signal: AbortSignal): Promise<{ readonly tiles: number; readonly lost: number }> {
    const { clock } = this.#parts.ports;
    let tiles = 0;
    let lost = 0;
    for (let level = 0; TILE_WIDTH ** (level + 1) <= this.#top.edge.size; level++) {
      for (let n = 0; (n + 1) * TILE_WIDTH ** (level + 1) <= this.#top.edge.size; n++) {
        signal.throwIfAborted();
        if (!(await this.#hashes.check(level, n))) lost++;
        if (++tiles % TILE_WIDTH === 0) await clock.sleep(SCRUB_PAUSE_MS, signal);
      }
    }
    return { tiles, lost };
  }

  #status(): TreeStatus {
    const { size } = this.#top.edge;
    const fault = this.#fault;
    let bytes = 0;
    for (let width = TILE_WIDTH; width <= size; width *= TILE_WIDTH) bytes += Math.floor(size / width) * RECORD_BYTES;
    return { bytes, fault: fault === null ? null : { code: fault.code, message: fault.message, action: fault.action } };
  }

  #newestHead(): TreeHead {
    const { edge } = this.#top;
    if (this.#head?.size !== edge.size) this.#head = { size: edge.size, root: encodeHash(rootHash(sha256, edge)) };
    return this.#head;
  }

  #tellProgress(): void {
    const { ledger, ports } = this.#parts;
    const { size } = this.#top.edge;
    if (size - this.#told < PROGRESS_ENTRIES) return;
    this.#told = size;
    if (ledger.size() - size >= PROGRESS_ENTRIES) ports.log.info('hashing entries into the tree', { at: size, through: ledger.size() });
  }
}

/** How long the check of the packs rests after every 2 MiB. */
const SCRUB_PAUSE_MS = 20;

function isFull(error: unknown): error is WaybillError {
  return isWaybillError(error) && error.code === 'DISK_FULL';
}
