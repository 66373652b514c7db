/**
 * The conformance suite for sinks: every kind of sink runs it, against a real destination or a double that keeps its protocol's rules.
 * What one cannot do is listed with its reason, and the suite fails when a test that is listed so passes after all.
 */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { isWaybillError, type WaybillError } from '../../src/contracts/errors.ts';
import type { Ports } from '../../src/contracts/ports.ts';
import type { Receipt, Sink, SinkDefinition } from '../../src/contracts/sink.ts';
import { asIndex, ENTRY_BYTES_MAX } from '../../src/contracts/units.ts';
import { openPorts } from '../../src/runtime/ports.ts';
import { batchOf, entriesOf, type Held, heldOf } from './batches.ts';
import { CHECKPOINT_TESTS } from './sink-checkpoints.ts';

/** What can go wrong at a destination. */
export type Trouble =
  /** It cannot take anything, and says so before it has taken anything. */
  | 'refused'
  /** It takes the batch, and the answer never arrives. */
  | 'answer-lost'
  /** It takes nothing and never answers. */
  | 'hang'
  /** It asks to come back in seven seconds. */
  | 'busy'
  /** It does not let us in. */
  | 'unauthorized'
  /** It will never take an entry that contains the word `poison`, nor anything after it. */
  | 'poison';

/** A destination that runs. */
export interface SinkPeer<Config> {
  readonly config: Config;
  /** The ports that the sink gets. */
  readonly ports: Ports;
  /** Values that no message may hold. */
  readonly secrets: readonly string[];
  /** What it holds, in the order in which it arrived. */
  received(): Promise<readonly Held[]>;
  /** The checkpoints that it got, oldest first; only the newest where it keeps no other one. */
  checkpoints(): Promise<readonly string[]>;
  /** Brings trouble until `heal`; throws when it cannot. `giveUp` ends the signal of the write that is under way. */
  trouble(kind: Trouble, giveUp: () => void): void;
  heal(): void;
  stop(): Promise<void>;
}

/** How the suite gets at a destination of one kind. */
export interface SinkHarness<Config> {
  readonly name: string;
  start(ports: Ports): Promise<SinkPeer<Config>>;
  readonly skip: readonly { readonly test: SinkTest; readonly reason: string }[];
}

/** The name of a test of the suite. */
export type SinkTest = keyof typeof TESTS;

/** What a test of the suite works with. */
export interface Bench<Config> {
  readonly peer: SinkPeer<Config>;
  readonly definition: SinkDefinition<Config>;
  readonly open: (cursor?: number, receipt?: Receipt | null) => Promise<Sink>;
  /** Everything that was said: messages of errors and log lines. */
  readonly said: string[];
  readonly rejects: (work: Promise<unknown>) => Promise<WaybillError>;
}

/** A signal that never ends anything. */
export const never = (): AbortSignal => new AbortController().signal;

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

const ODD_ENTRIES = [
  '{}',
  '{"event":{"empty":""}}',
  `{"control":"${Array.from({ length: 32 }, (_, k) => `\\u00${k.toString(16).padStart(2, '0')}`).join('')}\u007f"}`,
  '{"emoji":"\u{1f9fe}\u{1f469}\u200d\u{1f680}","line separators":"\u2028\u2029"}',
  '{"lone surrogates":"\\ud800 \\udfff"}',
  '{"__proto__":{"polluted":true},"constructor":1}',
  '{"looks like a line":"{\\"index\\":0,\\"entry\\":{}}\\n"}',
  `{"long":"${'é'.repeat((ENTRY_BYTES_MAX - 11) / 2)}"}`,
];

const TESTS = {
  'opens and closes without writing': async ({ open, peer }) => {
    const sink = await open();
    await sink.close();
    assert.deepEqual(await peer.received(), []);
  },

  'one entry arrives as it is': async ({ open, peer }) => {
    const sink = await open();
    const batch = { from: 0, entries: entriesOf(0, 1) };
    const receipt = await sink.write(batchOf(batch), never());
    assert.equal(typeof receipt, 'object');
    assert.deepEqual(await peer.received(), heldOf(batch));
    await sink.close();
  },

  'batches and the entries in them keep their order': async ({ open, peer }) => {
    const sink = await open();
    const batches = [0, 100, 103, 500].map((from, k, all) => ({ from, entries: entriesOf(from, (all[k + 1] ?? 600) - from) }));
    for (const batch of batches) await sink.write(batchOf(batch), never());
    assert.deepEqual(await peer.received(), heldOf(...batches));
    await sink.close();
  },

  'the largest batch that the traits allow': async ({ open, peer }) => {
    const sink = await open();
    const { entries, bytes } = sink.traits.batch;
    const many = { from: 0, entries: entriesOf(0, entries, Math.min(300, Math.floor(bytes / entries) - 40)) };
    const large = { from: entries, entries: entriesOf(entries, Math.floor(bytes / (ENTRY_BYTES_MAX + 64)), ENTRY_BYTES_MAX) };
    for (const batch of [many, large]) await sink.write(batchOf(batch), never());
    assert.deepEqual(await peer.received(), heldOf(many, large));
    await sink.close();
  },

  'odd content': async ({ open, peer }) => {
    const sink = await open();
    const odd = { from: 0, entries: ODD_ENTRIES, through: 20 };
    await sink.write(batchOf(odd), never());
    if (sink.traits.carriesEmpty) await sink.write(batchOf({ from: 21, entries: [], through: 30 }), never());
    const last = { from: 31, entries: entriesOf(31, 1) };
    const from = sink.traits.carriesEmpty ? 31 : 21;
    await sink.write(batchOf({ ...last, from }), never());
    assert.deepEqual(await peer.received(), heldOf(odd, { ...last, from }));
    await sink.close();
  },

  'refused before it was applied': async ({ open, peer, rejects }) => {
    const sink = await open();
    const batch = { from: 0, entries: entriesOf(0, 3) };
    peer.trouble('refused', () => {});
    const error = await rejects(sink.write(batchOf(batch), never()));
    assert.equal(error.remedy, 'retry');
    assert.equal(error.unknown, false);
    peer.heal();
    assert.deepEqual(await peer.received(), []);
    await sink.write(batchOf(batch), never());
    assert.deepEqual(await peer.received(), heldOf(batch));
    await sink.close();
  },

  'applied, then the answer lost': async ({ open, peer, rejects }) => {
    const sink = await open();
    const batch = { from: 0, entries: entriesOf(0, 3) };
    const after = { from: 3, entries: entriesOf(3, 2) };
    const controller = new AbortController();
    peer.trouble('answer-lost', () => controller.abort());
    const error = await rejects(sink.write(batchOf(batch), controller.signal));
    assert.equal(error.code, 'SINK_ANSWER_LOST');
    peer.heal();
    if (sink.traits.dedupe === 'position') {
      assert.ok(sink.next !== undefined);
      // It may count the batch or not, as long as it says so and keeps to it.
      const next = await sink.next(never());
      assert.ok(next === 0 || next === 3, `it needs ${next} next`);
      if (next === 0) await sink.write(batchOf(batch), never());
      else await rejects(sink.write(batchOf(batch), never()));
    } else {
      await sink.write(batchOf(batch), never());
    }
    await sink.write(batchOf(after), never());
    const expected = sink.traits.dedupe === 'none' ? heldOf(batch, batch, after) : heldOf(batch, after);
    assert.deepEqual(await peer.received(), expected);
    await sink.close();
  },

  'no answer ends with the signal and leaves nothing behind': async ({ open, peer, rejects }) => {
    const sink = await open();
    const before = timers();
    const controller = new AbortController();
    peer.trouble('hang', () => controller.abort(new Error('took too long')));
    const error = await rejects(sink.write(batchOf({ from: 0, entries: entriesOf(0, 3) }), controller.signal));
    assert.equal(error.code, 'SINK_ANSWER_LOST');
    const ended = await rejects(sink.write(batchOf({ from: 0, entries: entriesOf(0, 3) }), controller.signal));
    assert.equal(ended.code, 'SINK_ANSWER_LOST');
    peer.heal();
    await sink.close();
    assert.ok(timers() <= before, `${timers()} timers where ${before} were before`);
  },

  'busy, and when to come back': async ({ open, peer, rejects }) => {
    const sink = await open();
    peer.trouble('busy', () => {});
    const error = await rejects(sink.write(batchOf({ from: 0, entries: entriesOf(0, 1) }), never()));
    assert.equal(error.remedy, 'retry');
    assert.equal(error.details.retryAfterMs, 7_000);
    assert.deepEqual(await peer.received(), []);
    await sink.close();
  },

  'not let in': async ({ open, peer, rejects }) => {
    peer.trouble('unauthorized', () => {});
    let sink: Sink | null = null;
    const error = await rejects(
      (async () => {
        sink = await open();
        await sink.write(batchOf({ from: 0, entries: entriesOf(0, 1) }), never());
      })(),
    );
    assert.equal(error.remedy, 'halt');
    assert.notEqual(error.action, '');
    peer.heal();
    assert.deepEqual(await peer.received(), []);
    await (sink as Sink | null)?.close();
  },

  'one entry that it will never take': async ({ open, peer, rejects }) => {
    const sink = await open();
    const before = { from: 0, entries: entriesOf(0, 2) };
    await sink.write(batchOf(before), never());
    peer.trouble('poison', () => {});
    const entries = [...entriesOf(2, 2), '{"event":"poison"}', ...entriesOf(5, 2)];
    const error = await rejects(sink.write(batchOf({ from: 2, entries }), never()));
    assert.equal(error.remedy, 'reject');
    if (error.details.refused !== undefined) assert.deepEqual(error.details.refused, [2]);
    for (const { index } of await peer.received()) assert.ok(index < 4, `${index} was taken after a refused one`);
    await sink.close();
  },

  'a batch out of turn changes nothing': async ({ open, peer, rejects }) => {
    const sink = await open();
    assert.equal(sink.traits.dedupe, 'position');
    assert.ok(sink.next !== undefined);
    const first = { from: 0, entries: entriesOf(0, 5) };
    await sink.write(batchOf(first), never());
    for (const from of [0, 3, 4, 6, 100]) {
      const error = await rejects(sink.write(batchOf({ from, entries: entriesOf(from, 5) }), never()));
      assert.equal(error.remedy, 'retry');
      assert.equal(await sink.next(never()), 5);
    }
    assert.deepEqual(await peer.received(), heldOf(first));
    const second = { from: 5, entries: entriesOf(5, 5) };
    const receipt = await sink.write(batchOf(second), never());
    await sink.close();
    const again = await open(10, receipt);
    assert.equal(await again.next?.(never()), 10);
    await rejects(again.write(batchOf(second), never()));
    assert.deepEqual(await peer.received(), heldOf(first, second));
    await again.close();
  },

  'what is read back is what was written': async ({ open }) => {
    const sink = await open();
    assert.ok(sink.readBack !== undefined);
    const batches = [
      { from: 0, entries: ODD_ENTRIES },
      { from: ODD_ENTRIES.length, entries: entriesOf(ODD_ENTRIES.length, 5_000) },
    ];
    for (const batch of batches) await sink.write(batchOf(batch), never());
    const held: Held[] = [];
    for await (const { index, bytes } of sink.readBack(never())) held.push({ index, entry: Buffer.from(bytes).toString() });
    assert.deepEqual(held, heldOf(...batches));
    await sink.close();
  },

  'close settles a write that is under way': async ({ open, peer }) => {
    const sink = await open();
    const batch = { from: 0, entries: entriesOf(0, 2_000) };
    const writing = sink.write(batchOf(batch), never()).then(
      () => 'taken',
      (error: unknown) => {
        assert.ok(isWaybillError(error));
        return error.code;
      },
    );
    await sink.close();
    const outcome = await writing;
    assert.ok(outcome === 'taken' || outcome === 'SINK_ANSWER_LOST' || outcome === 'SINK_UNREACHABLE', outcome);
    if (outcome === 'taken') assert.deepEqual(await peer.received(), heldOf(batch));
  },

  'no secret is ever said': async ({ open, peer, rejects, said }) => {
    assert.ok(peer.secrets.length > 0);
    const sink = await open();
    for (const kind of ['refused', 'answer-lost', 'busy', 'unauthorized', 'poison'] as const) {
      const controller = new AbortController();
      peer.trouble(kind, () => controller.abort());
      await rejects(sink.write(batchOf({ from: 0, entries: ['{"event":"poison"}'] }), controller.signal));
      peer.heal();
    }
    await sink.close();
    assert.ok(said.length >= 5);
    for (const text of said) for (const secret of peer.secrets) assert.ok(!text.includes(secret), `a secret was said: ${text}`);
  },

  ...CHECKPOINT_TESTS,
} as const satisfies Record<string, (bench: Bench<unknown>) => Promise<void>>;

/** Runs the suite for one kind of sink. */
export function sinkConformance<Config>(definition: SinkDefinition<Config>, harness: SinkHarness<Config>): void {
  describe(`sink ${definition.type}: ${harness.name}`, () => {
    for (const [name, body] of Object.entries(TESTS)) {
      const skipped = harness.skip.find((skip) => skip.test === name);
      if (skipped === undefined) test(name, (context) => onBench(definition, harness, context, body));
      else
        test(`cannot do: ${name} (${skipped.reason})`, (context) =>
          assert.rejects(onBench(definition, harness, context, body), isExpected));
    }
  });
}

/** A test that cannot be done fails by an assertion, of its own or of the harness; anything else is a fault like any other. */
function isExpected(error: unknown): boolean {
  return error instanceof assert.AssertionError;
}

async function onBench<Config>(
  definition: SinkDefinition<Config>,
  harness: SinkHarness<Config>,
  context: TestContext,
  body: (bench: Bench<Config>) => Promise<void>,
): Promise<void> {
  const real = await openPorts({ logLevel: 'silent' });
  const said: string[] = [];
  const say = (message: string, facts?: unknown): void => void said.push(`${message} ${JSON.stringify(facts)}`);
  const peer = await harness.start({ ...real, log: { info: say, warn: say, error: say } });
  const opened: Sink[] = [];
  context.after(async () => {
    peer.heal();
    for (const sink of opened) await sink.close();
    await peer.stop();
    await real.close();
  });
  await body({
    peer,
    definition,
    said,
    async open(cursor = 0, receipt = null) {
      const sinkContext = { name: 'lake', origin: 'acme.example/audit', ports: peer.ports, cursor: asIndex(cursor), receipt };
      const sink = await definition.open(peer.config, sinkContext);
      opened.push(sink);
      return sink;
    },
    async rejects(work) {
      try {
        await work;
      } catch (error) {
        assert.ok(isWaybillError(error), `not an operating error: ${String(error)}`);
        said.push(`${error.message} ${JSON.stringify(error.details.facts)} ${String(error.cause)}`);
        return error;
      }
      return assert.fail('it was taken');
    },
  });
}
