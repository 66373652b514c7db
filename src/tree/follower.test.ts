import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import type { Batch } from '../contracts/entry.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Background, Clock } from '../contracts/ports.ts';
import { asIndex, asSize } from '../contracts/units.ts';
import { openDisk } from '../runtime/disk.ts';
import { EMPTY_EDGE, growEdge, rootHash } from '../tlog/edge.ts';
import { openTree, type Tree } from './follower.ts';
import { sha256, treeJobs } from './grow.ts';

type Followed = Pick<Ledger, 'origin' | 'read' | 'size' | 'waitBeyond' | 'register'> & { beginning: Ledger['beginning'] };

/** A ledger that holds `entry 0`, `entry 1` … and grows when it is told to. */
function growingLedger(): Followed & { grow(by: number): void; reads: number[] } {
  const grower = { size: 0 };
  let grown = Promise.withResolvers<void>();
  const reads: number[] = [];
  // One memory for all batches, as in the ring of the ledger: who gives it away, or a view of it, breaks the next read.
  const memory = entriesFrom(0, 1_000);
  return {
    origin: 'test.example/log',
    reads,
    grow(by) {
      grower.size += by;
      grown.resolve();
      grown = Promise.withResolvers<void>();
    },
    size: () => asSize(grower.size),
    beginning: () => asIndex(0),
    register: memoryRegister(),
    async read(from, limits): Promise<Batch> {
      reads.push(from);
      const through = from + Math.min(grower.size - from, limits.entries, 100);
      const [starts, ends] = [memory.starts.subarray(from, through), memory.ends.subarray(from, through)];
      return { first: from, count: through - from, bytes: memory.bytes.subarray(0, ends.at(-1)), starts, ends };
    },
    async waitBeyond(beyond, signal) {
      while (grower.size <= beyond) {
        const aborted = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
        await Promise.race([grown.promise, aborted]);
      }
      return asSize(grower.size);
    },
  };
}

function memoryRegister(): Ledger['register'] {
  const values = new Map<string, string>();
  return {
    get: (key) => values.get(key) ?? null,
    async set(key, value, expected) {
      assert.equal(values.get(key) ?? null, expected);
      values.set(key, value);
    },
  };
}

function entriesFrom(first: number, count: number): Batch {
  const parts = Array.from({ length: count }, (_, k) => Buffer.from(`entry ${first + k}`));
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  let at = 0;
  for (const [k, part] of parts.entries()) {
    starts[k] = at;
    at += part.length;
    ends[k] = at;
  }
  return { first: asIndex(first), count, bytes: Buffer.concat(parts), starts, ends };
}

function rootOf(size: number): string {
  const { bytes, starts, ends } = entriesFrom(0, size);
  return Buffer.from(rootHash(sha256, growEdge(sha256, EMPTY_EDGE, bytes, starts, ends)), 'latin1').toString('base64');
}

/** A background on this thread to which input goes over as to a real one: by a copy, except for shared memory. */
const background: Background = {
  run: (job, input) => treeJobs[job]?.(structuredClone(input)) ?? Promise.reject(new Error(`no job ${job}`)),
};
const clock: Clock = { now: () => 0, monotonic: () => 0, sleep: async () => {} };
const log = { info() {}, warn() {}, error() {} };

async function reached(tree: Tree, size: number): Promise<void> {
  const failed = tree.failed.then((error) => {
    throw error;
  });
  while (tree.head().size < size) await Promise.race([failed, new Promise((resolve) => setImmediate(resolve))]);
}

describe('the tree that follows the ledger', () => {
  test('follows, stores its edge, and goes on from it without hashing again', async () => {
    const directory = mkdtempSync(`${tmpdir()}/waybill-tree-`);
    const disk = openDisk();
    const ledger = growingLedger();
    try {
      const tree = await openTree(`${directory}/tree`, ledger, { clock, disk, background, log });
      assert.equal(tree.head().size, 0);
      ledger.grow(250);
      await reached(tree, 250);
      assert.deepEqual(tree.head(), { size: 250, root: rootOf(250) });
      await tree.close();

      ledger.reads.length = 0;
      ledger.grow(7);
      const again = await openTree(`${directory}/tree`, ledger, { clock, disk, background, log });
      await reached(again, 257);
      assert.deepEqual(again.head(), { size: 257, root: rootOf(257) });
      assert.equal(ledger.reads[0], 250);
      await again.close();
    } finally {
      await disk.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('goes on from the pinned edge when its own files are lost and older entries are no longer there', async () => {
    const directory = mkdtempSync(`${tmpdir()}/waybill-tree-`);
    const disk = openDisk();
    const ledger = growingLedger();
    ledger.grow(250);
    try {
      const tree = await openTree(directory, ledger, { clock, disk, background, log });
      await reached(tree, 250);
      await tree.pin(asSize(250));
      await tree.pin(asSize(250));
      await tree.close();
      rmSync(`${directory}/edge`);
      ledger.beginning = () => asIndex(200);
      ledger.reads.length = 0;
      ledger.grow(7);
      const again = await openTree(directory, ledger, { clock, disk, background, log });
      await reached(again, 257);
      // The leaf hashes of the tile that is not full are made again from what is there.
      assert.deepEqual([again.head().root, ledger.reads], [rootOf(257), [200, 250]]);
      await again.close();
      rmSync(`${directory}/edge`);
      ledger.beginning = () => asIndex(251);
      await assert.rejects(openTree(directory, ledger, { clock, disk, background, log }), { code: 'LEDGER_CORRUPT' });
    } finally {
      await disk.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('a damaged edge is not used and everything is hashed again; one that knows more than the ledger is a refusal', async () => {
    const directory = mkdtempSync(`${tmpdir()}/waybill-tree-`);
    const disk = openDisk();
    const ledger = growingLedger();
    ledger.grow(130);
    try {
      const first = await openTree(directory, ledger, { clock, disk, background, log });
      await reached(first, 130);
      await first.close();
      const bytes = readFileSync(`${directory}/edge`);
      for (const at of [0, 12, bytes.length - 5]) {
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ 1;
        writeFileSync(`${directory}/edge`, damaged);
        const tree = await openTree(directory, ledger, { clock, disk, background, log });
        await reached(tree, 130);
        assert.equal(tree.head().root, rootOf(130), `byte ${at}`);
        await tree.close();
      }
      const shorter = growingLedger();
      shorter.grow(129);
      for (let start = 0; start < 2; start++)
        await assert.rejects(openTree(directory, shorter, { clock, disk, background, log }), {
          code: 'LEDGER_REWOUND',
          message: /covers 130 entries, and the ledger has 129/,
        });
    } finally {
      await disk.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('an error of the hashing thread ends following and is told', async () => {
    const directory = mkdtempSync(`${tmpdir()}/waybill-tree-`);
    const disk = openDisk();
    const ledger = growingLedger();
    ledger.grow(1);
    try {
      const broken: Background = { run: () => Promise.reject(new Error('the thread is gone')) };
      const tree = await openTree(directory, ledger, { clock, disk, background: broken, log });
      assert.match((await tree.failed).message, /the thread is gone/);
      await tree.close();
    } finally {
      await disk.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
