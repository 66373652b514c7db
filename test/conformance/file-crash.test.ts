import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isWaybillError } from '../../src/contracts/errors.ts';
import type { Ports } from '../../src/contracts/ports.ts';
import type { Receipt, Sink } from '../../src/contracts/sink.ts';
import { asIndex, asSize } from '../../src/contracts/units.ts';
import { file } from '../../src/sinks/file.ts';
import type { Chance } from '../sim/chance.ts';
import { VirtualDisk } from '../sim/disk.ts';
import { type Life, World } from '../sim/world.ts';
import { batchOf, type Held, heldIn } from './batches.ts';

const PATH = '/out/audit.ndjson';
const ENTRIES = 150;
const LIVES = 6;

/** What the journal has of one batch: where the destination stood after it. */
interface Outcome {
  readonly cursor: number;
  readonly receipt: Receipt | null;
}

/** One seed: several lives of a process write to one file, and each ends by a kill, a power cut, or in peace. */
class Story {
  readonly world: World;
  readonly chance: Chance;
  readonly disk: VirtualDisk;
  readonly rotate: number | null;
  /** Outcomes in their order; those from `durable` on are lost in a power cut, and may be in a kill. */
  journal: Outcome[] = [{ cursor: 0, receipt: null }];
  durable = 1;
  reached = 0;
  readonly entries: readonly string[];
  /** How many entries the newest checkpoint covers that was written, and the newest that may have been. */
  sealed = 0;
  tried = 0;

  constructor(seed: number) {
    this.world = new World(seed);
    this.chance = this.world.chance.fork('file');
    this.rotate = this.chance.pick([null, 4_096, 6_000]);
    this.disk = new VirtualDisk(this.world, { latencyMs: 0.3, slow: 0.05, fail: this.chance.pick([0, 0, 0.03]) });
    this.entries = Array.from({ length: ENTRIES }, (_, k) => `{"n":${k},"fill":"${'x'.repeat(this.chance.int(0, 900))}"}`);
  }

  /** Whether the destination's filter wants an entry: the same for ever. */
  wants(index: number): boolean {
    return index % 7 !== 3 && !(index >= 40 && index < 50);
  }

  expected(through: number): readonly Held[] {
    return this.entries.flatMap((entry, k) => (k < through && this.wants(k) ? [{ index: asIndex(k), entry }] : []));
  }

  held(): readonly Held[] {
    const names = this.disk.names('/out').filter((name) => /^audit\.ndjson\.\d{12}$/.test(name));
    const paths = [...names.map((name) => `/out/${name}`), PATH];
    return paths.flatMap((path) => heldIn(Buffer.from(this.disk.peek(path) ?? []).toString()));
  }

  /** Whoever looks between two lives finds a checkpoint whole, and none older than one that was written. */
  checkSeal(): void {
    const found = this.disk.peek(`${PATH}.checkpoint`);
    if (found === null && this.sealed === 0) return;
    const note = Buffer.from(found ?? []).toString();
    const size = Number(note.split('\n')[1]);
    assert.equal(note, noteOf(size), 'the checkpoint is not whole');
    assert.ok(size >= this.sealed && size <= this.tried, `the checkpoint covers ${size}, and ${this.sealed} was written`);
  }

  async live(last: boolean): Promise<void> {
    const life = this.world.begin();
    const calm = { ...this.disk.odds };
    if (last) this.disk.odds = { ...calm, fail: 0 };
    let done = false;
    this.world.watch(
      'process',
      this.#process(life).then(() => void (done = true)),
    );
    await this.world.run(last ? Number.POSITIVE_INFINITY : this.world.time + this.chance.logarithmic(1, 200), () => done);
    if (this.world.violation !== null) throw this.world.violation;
    if (last) assert.ok(done, 'the last life did not come to its end');
    const power = !last && this.chance.hit(0.5);
    life.end();
    this.disk.kill(life);
    if (power) this.disk.cutPower();
    // A kill leaves what was handed to the kernel, so that more of the journal may be there than was flushed.
    const kept = power || done ? this.durable : this.chance.int(this.durable, this.journal.length);
    this.journal = this.journal.slice(0, done && !power ? this.journal.length : kept);
    this.durable = this.journal.length;
    this.disk.odds = calm;
    this.checkSeal();
  }

  async #process(life: Life): Promise<void> {
    const { cursor, receipt } = this.journal.at(-1) as Outcome;
    const ports = { disk: this.disk.portOf(life) } as Ports;
    const context = { name: 'local', origin: 'acme.example/audit', ports, cursor: asIndex(cursor), receipt, size: asSize(this.reached) };
    const sink = await retried(() => file.open({ path: PATH, ...(this.rotate === null ? {} : { rotate: this.rotate }) }, context));
    let next = cursor;
    for (;;) {
      const signal = new AbortController().signal;
      const needed = await retried(() => (sink.next as NonNullable<Sink['next']>)(signal));
      assert.equal(needed, next, 'everything that was acknowledged is there, and nothing else counts');
      if (next === ENTRIES) return sink.close();
      const through = Math.min(ENTRIES, next + this.chance.int(1, 12)) - 1;
      const outcome = await this.#write(sink, next, through);
      if (outcome === null) continue;
      this.journal.push(outcome);
      next = outcome.cursor;
      // Published heads never get smaller, however far back the cursor is set.
      if (next >= this.tried && this.chance.hit(0.3)) await this.#seal(sink, next);
      // The journal is flushed behind the writes, sometimes several of them later.
      if (this.chance.hit(0.5)) this.durable = this.chance.int(this.durable, this.journal.length);
    }
  }

  /** A batch may be on its way at the same time: here the place of the next one is looked for. */
  async #seal(sink: Sink, size: number): Promise<void> {
    this.tried = Math.max(this.tried, size);
    const signal = new AbortController().signal;
    try {
      await Promise.all([sink.checkpoint?.({ size: asSize(size), note: noteOf(size) }, signal), sink.next?.(signal)]);
      this.sealed = size;
    } catch (error) {
      if (!isWaybillError(error) || error.code !== 'DISK_FAILED') throw error;
    }
  }

  async #write(sink: Sink, from: number, through: number): Promise<Outcome | null> {
    this.reached = Math.max(this.reached, through + 1);
    const controller = new AbortController();
    if (this.chance.hit(0.15)) this.world.plan(this.chance.next() * 3, () => controller.abort());
    try {
      const receipt = await sink.write(gappyBatch(this, from, through), controller.signal);
      return { cursor: through + 1, receipt };
    } catch (error) {
      if (!isWaybillError(error) || !['SINK_ANSWER_LOST', 'DISK_FAILED'].includes(error.code)) throw error;
      return null;
    }
  }
}

/** A note of the right form; nobody checks its signature here. */
function noteOf(size: number): string {
  const root = Buffer.alloc(32, size).toString('base64');
  return `acme.example/audit\n${size}\n${root}\n\n\u2014 acme.example/audit ${'A'.repeat(92)}\n`;
}

/** A batch of the wanted entries of a range, each under its own index. */
function gappyBatch(story: Story, from: number, through: number): ReturnType<typeof batchOf> {
  const wanted = story.entries.map((entry, k) => ({ entry, k })).filter(({ k }) => k >= from && k <= through && story.wants(k));
  const body = Buffer.from(wanted.map(({ entry, k }) => `{"index":${k},"entry":${entry}}\n`).join(''));
  const offsets = new Uint32Array(wanted.length + 1);
  let end = 0;
  for (let at = 0; at < wanted.length; at++) {
    end = body.indexOf('\n', end) + 1;
    offsets[at + 1] = end;
  }
  return { ...batchOf({ from, entries: [], through }), count: wanted.length, body, offsets };
}

async function retried<Out>(work: () => Promise<Out>): Promise<Out> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isWaybillError(error) || error.code !== 'DISK_FAILED') throw error;
    }
  }
}

describe('a file destination, killed and cut from power again and again', () => {
  for (let block = 0; block < 6; block++) {
    test(`seeds ${block * 50 + 1} to ${block * 50 + 50} end with every wanted entry once and in order`, async () => {
      for (let seed = block * 50 + 1; seed <= block * 50 + 50; seed++) {
        try {
          const story = new Story(seed);
          for (let life = 1; life <= LIVES; life++) await story.live(life === LIVES);
          assert.deepEqual(story.held(), story.expected(ENTRIES));
        } catch (error) {
          throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
        }
      }
    });
  }
});
