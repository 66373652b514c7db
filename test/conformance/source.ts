/**
 * The conformance suite for pull sources: every kind of them runs it, against a real origin or a double that keeps its protocol's rules.
 * What one cannot do is listed with its reason, and the suite fails when a test that is listed so passes after all.
 */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Ports } from '../../src/contracts/ports.ts';
import type { Source, SourceBatch, SourceDefinition } from '../../src/contracts/source.ts';
import type { Position } from '../../src/contracts/units.ts';
import { openPorts } from '../../src/runtime/ports.ts';

/** Where events come from: an origin that runs. Each of its logs becomes a partition of its own, or several one after another. */
export interface SourcePeer<Config> {
  readonly config: Config;
  /** The ports that the source gets. */
  readonly ports: Ports;
  /** Lets events happen in a log, in this order. */
  happen(log: string, events: readonly string[]): Promise<void>;
  /** Everything that is at the origin, to compare. */
  state(): Promise<unknown>;
  stop(): Promise<void>;
}

/** How the suite gets at an origin of one kind. */
export interface SourceHarness<Config> {
  readonly name: string;
  start(ports: Ports): Promise<SourcePeer<Config>>;
  readonly skip: readonly { readonly test: SourceTest; readonly reason: string }[];
}

/** The name of a test of the suite. */
export type SourceTest = keyof typeof TESTS;

interface Taken {
  readonly batch: SourceBatch;
  readonly texts: readonly string[];
}

/** A source that is being read. */
interface Reading {
  readonly taken: Taken[];
  /** Waits until so many events were taken, or fails after a while. */
  events(count: number): Promise<void>;
  /** Waits until nothing has come for a while. */
  still(): Promise<void>;
  /** Ends it. */
  stop(): Promise<void>;
}

interface Bench {
  readonly peer: SourcePeer<unknown>;
  /** Reads behind the given positions; with `settles` each batch is settled at once. */
  readonly read: (after?: ReadonlyMap<string, Position>, settles?: boolean) => Promise<Reading>;
}

const PATIENCE_MS = 20_000;
const STILL_MS = 300;
const BIG_EVENTS = 400;
const UNSETTLED_MOST = 32 << 20;

const numbered = (log: string, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, k) => JSON.stringify({ id: `${log}-${from + k}` }));

const ODD = [
  '{}',
  '{"text":"\u{1f9fe} \u2028 \\u0000 \\n"}',
  '{"nested":[[[{"a":null}]]]}',
  `{"long":"${'é'.repeat(20_000)}"}`,
  '{"spaced" : 1 }',
];

const TESTS = {
  'opens and closes without changing anything': async ({ peer, read }) => {
    await peer.happen('a', numbered('a', 0, 3));
    const before = await peer.state();
    const reading = await read();
    await reading.events(3);
    await reading.stop();
    assert.deepEqual(await peer.state(), before);
  },

  'what is there and what comes later, each log in its order': async ({ peer, read }) => {
    await peer.happen('a', numbered('a', 0, 10));
    await peer.happen('b', numbered('b', 0, 10));
    const reading = await read();
    await reading.events(20);
    await peer.happen('a', numbered('a', 10, 20));
    await peer.happen('c', numbered('c', 0, 10));
    await reading.events(40);
    await reading.stop();
    const texts = textsOf(reading.taken);
    const logs = [
      ['a', 20],
      ['b', 10],
      ['c', 10],
    ] as const;
    for (const [log, count] of logs)
      assert.deepEqual(
        texts.filter((text) => text.includes(`"${log}-`)),
        numbered(log, 0, count),
      );
    assert.equal(texts.length, 40);
  },

  'the bytes of an event are those of the origin': async ({ peer, read }) => {
    await peer.happen('a', ODD);
    const reading = await read();
    await reading.events(ODD.length);
    await reading.stop();
    assert.deepEqual(textsOf(reading.taken), ODD);
  },

  'behind every position comes exactly the rest': async ({ peer, read }) => {
    const whole = await read();
    for (let round = 0; round < 5; round++) {
      await peer.happen('a', numbered('a', round * 4, round * 4 + 4));
      await peer.happen('b', numbered('b', round * 4, round * 4 + 4));
      await whole.events(8 * (round + 1));
    }
    await whole.stop();
    const positions = new Map<string, Position>();
    for (const [place, { batch }] of whole.taken.entries()) {
      record(positions, batch);
      const rest = textsOf(whole.taken.slice(place + 1));
      const reading = await read(new Map(positions));
      await reading.events(rest.length);
      await reading.stop();
      assert.deepEqual(textsOf(reading.taken).toSorted(), rest.toSorted(), `behind batch ${place}`);
    }
    const last = await read(positions);
    await peer.happen('a', numbered('a', 20, 21));
    await last.events(1);
    await last.stop();
    assert.deepEqual(textsOf(last.taken), numbered('a', 20, 21));
  },

  'what was refused comes again': async ({ peer, read }) => {
    await peer.happen('a', numbered('a', 0, 5));
    const first = await read(new Map(), false);
    await first.events(5);
    for (const { batch } of first.taken) await batch.settle('refused');
    await first.stop();
    const again = await read();
    await again.events(5);
    await again.stop();
    assert.deepEqual(textsOf(again.taken), numbered('a', 0, 5));
  },

  'several batches may be unsettled, and not without an end': async ({ peer, read }) => {
    const events = Array.from({ length: 1_000 }, (_, k) => JSON.stringify({ id: k, pad: 'x'.repeat(50_000) }));
    await peer.happen('a', events);
    const reading = await read(new Map(), false);
    await reading.events(BIG_EVENTS / 4);
    await reading.still();
    assert.ok(reading.taken.length > 1);
    assert.ok(textsOf(reading.taken).length < events.length, 'everything was handed over although nothing was settled');
    let bytes = 0;
    for (let settled = 0; settled < reading.taken.length; settled++) {
      const open = reading.taken
        .slice(settled)
        .flatMap(({ texts }) => texts)
        .join('').length;
      bytes = Math.max(bytes, open);
      await reading.taken[settled]?.batch.settle('accepted');
      if (settled === reading.taken.length - 1 && textsOf(reading.taken).length < events.length)
        await reading.events(textsOf(reading.taken).length + 1);
    }
    await reading.stop();
    assert.ok(bytes < UNSETTLED_MOST, `${bytes} bytes were unsettled`);
    assert.deepEqual(textsOf(reading.taken), events);
  },

  'ends with the signal, while it waits and while nothing is settled': async ({ peer, read }) => {
    const idle = await read();
    await idle.stop();
    await peer.happen(
      'a',
      Array.from({ length: 1_000 }, () => `{"pad":"${'x'.repeat(50_000)}"}`),
    );
    const full = await read(new Map(), false);
    await full.events(1);
    await full.stop();
  },

  'partitions and positions are short, and every event has one': async ({ peer, read }) => {
    await peer.happen('a', numbered('a', 0, 100));
    const reading = await read();
    await reading.events(100);
    await reading.stop();
    for (const { batch } of reading.taken) {
      assert.ok(Buffer.byteLength(batch.partition ?? '') <= 1_024);
      assert.notEqual(batch.position, null);
      for (const place of [batch.position, ...batch.events.map(({ position }) => position)]) {
        assert.ok(place !== null && Buffer.byteLength(place) <= 1_024);
      }
      const own = batch.events.map(({ position }) => position);
      assert.equal(new Set(own).size, own.length, 'two events of a batch have the same position');
    }
  },
} as const satisfies Record<string, (bench: Bench) => Promise<void>>;

/** Runs the suite for one kind of source. */
export function sourceConformance<Config>(definition: SourceDefinition<Config>, harness: SourceHarness<Config>): void {
  describe(`source ${definition.type}: ${harness.name}`, () => {
    for (const [name, body] of Object.entries(TESTS)) {
      const skipped = harness.skip.find((skip) => skip.test === name);
      if (skipped === undefined) test(name, (context) => onBench(definition, harness, context, body));
      else
        test(`cannot do: ${name} (${skipped.reason})`, (context) =>
          assert.rejects(onBench(definition, harness, context, body), (error) => error instanceof assert.AssertionError));
    }
  });
}

async function onBench<Config>(
  definition: SourceDefinition<Config>,
  harness: SourceHarness<Config>,
  context: TestContext,
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const real = await openPorts({ logLevel: 'silent' });
  const peer = await harness.start(real);
  const readings: Reading[] = [];
  context.after(async () => {
    for (const reading of readings) await reading.stop();
    await peer.stop();
    await real.close();
  });
  await body({
    peer,
    async read(after = new Map(), settles = true) {
      assert.ok(definition.open !== undefined, 'a source that is pulled can be opened');
      const source = await definition.open(peer.config, { name: 'app', ports: peer.ports });
      const reading = startReading(source, after, settles);
      readings.push(reading);
      return reading;
    },
  });
}

function startReading(source: Source, after: ReadonlyMap<string, Position>, settles: boolean): Reading {
  const stopping = new AbortController();
  const taken: Taken[] = [];
  let failure: unknown = null;
  const run = async (): Promise<void> => {
    for await (const batch of source.batches(after, stopping.signal)) {
      const texts = batch.events.map(({ bytes, start, end }) => Buffer.from(bytes.subarray(start, end)).toString());
      taken.push({ batch, texts });
      if (settles) await batch.settle('accepted');
    }
  };
  const running = run().catch((error: unknown) => {
    if (!stopping.signal.aborted) failure = error;
  });
  return {
    taken,
    async events(count) {
      const end = Date.now() + PATIENCE_MS;
      while (textsOf(taken).length < count) {
        if (failure !== null) throw failure;
        assert.ok(Date.now() < end, `${textsOf(taken).length} events came of ${count}`);
        await setTimeout(2);
      }
    },
    async still() {
      for (let before = -1; before !== taken.length; await setTimeout(STILL_MS)) before = taken.length;
    },
    async stop() {
      stopping.abort(new Error('the test is over'));
      await running;
      await source.close();
    },
  };
}

function record(positions: Map<string, Position>, { partition, position, closes }: SourceBatch): void {
  if (closes === true) positions.delete(partition ?? '');
  else if (position !== null) positions.set(partition ?? '', position);
}

function textsOf(taken: readonly Taken[]): string[] {
  return taken.flatMap(({ texts }) => texts);
}
