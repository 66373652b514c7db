/** What the suite for sinks asks of those whose traits say that checkpoints reach the destination. */
import assert from 'node:assert/strict';
import type { PublishedHead } from '../../src/contracts/heads.ts';
import type { Sink, SinkCheckpoint } from '../../src/contracts/sink.ts';
import { SignedHeads } from '../doubles/signed-heads.ts';
import { batchOf, entriesOf, type Held, heldOf } from './batches.ts';
import { type Bench, never } from './sink.ts';

const ORIGIN = 'acme.example/audit';

const first = { from: 0, entries: entriesOf(0, 3) };
const second = { from: 3, entries: entriesOf(3, 4) };

/** The heads of a log with these entries. */
function headsNow(): { readonly heads: SignedHeads; readonly clock: { wall: number }; publish: (count: number) => Promise<PublishedHead> } {
  const clock = { wall: Date.UTC(2026, 10, 24), now: () => clock.wall };
  const heads = new SignedHeads(ORIGIN, clock);
  return { heads, clock, publish: (count) => heads.publish(bytesOf(heldOf(first, second)).slice(0, count)) };
}

function bytesOf(held: readonly Held[]): readonly Buffer[] {
  return held.map(({ entry }) => Buffer.from(entry));
}

function alone({ size, checkpoint: note }: PublishedHead): SinkCheckpoint {
  return { size, note };
}

function bring(sink: Sink, head: PublishedHead, signal = never()): Promise<void> {
  assert.ok(sink.checkpoint !== undefined, 'it takes no checkpoints');
  return sink.checkpoint(alone(head), signal);
}

/** Tests of checkpoints: a sink without them lists those that it cannot do. */
export const CHECKPOINT_TESTS = {
  'what its traits say of checkpoints is so': async ({ open, peer, definition }) => {
    const sink = await open();
    assert.equal(sink.checkpoint !== undefined, sink.traits.checkpoints !== undefined);
    assert.deepEqual(sink.traits.checkpoints, definition.traits(peer.config).checkpoints);
    assert.deepEqual(await peer.checkpoints(), []);
    await sink.close();
  },

  'a batch carries a checkpoint beside its entries': async ({ open, peer }) => {
    const sink = await open();
    assert.ok(sink.traits.checkpoints?.inBatch === true, 'its batches carry none');
    const { publish, heads } = headsNow();
    const { checkpoint } = await publish(3);
    await sink.write({ ...batchOf(first), checkpoint }, never());
    await sink.write(batchOf(second), never());
    assert.deepEqual(await peer.received(), heldOf(first, second));
    assert.deepEqual(await peer.checkpoints(), [checkpoint]);
    await heads.check(checkpoint, bytesOf(await peer.received()));
    await sink.close();
  },

  'a checkpoint by itself is no entry, and fits what is held': async ({ open, peer }) => {
    const sink = await open();
    const { publish, heads } = headsNow();
    await sink.write(batchOf(first), never());
    await bring(sink, await publish(3));
    assert.deepEqual(await peer.received(), heldOf(first));
    await sink.write(batchOf(second), never());
    await bring(sink, await publish(7));
    assert.deepEqual(await peer.received(), heldOf(first, second));
    const newest = (await peer.checkpoints()).at(-1) ?? '';
    assert.equal(await heads.check(newest, bytesOf(await peer.received())), 7);
    await sink.close();
  },

  'the same checkpoint again, also after a restart, and the same head made fresh': async ({ open, peer }) => {
    const sink = await open();
    const { publish, clock } = headsNow();
    const receipt = await sink.write(batchOf(first), never());
    const head = await publish(3);
    await bring(sink, head);
    await bring(sink, head);
    await sink.close();
    const again = await open(3, receipt);
    await bring(again, head);
    clock.wall += 60_000;
    const fresh = await publish(3);
    assert.notEqual(fresh.checkpoint, head.checkpoint);
    await bring(again, fresh);
    assert.equal((await peer.checkpoints()).at(-1), fresh.checkpoint);
    assert.deepEqual(await peer.received(), heldOf(first));
    await again.write(batchOf(second), never());
    assert.deepEqual(await peer.received(), heldOf(first, second));
    await again.close();
  },

  'a checkpoint that fails leaves everything as it was': async ({ open, peer, rejects }) => {
    const sink = await open();
    assert.ok(sink.checkpoint !== undefined, 'it takes no checkpoints');
    const { publish, heads } = headsNow();
    await sink.write(batchOf(first), never());
    for (const kind of ['refused', 'unauthorized', 'answer-lost', 'hang'] as const) {
      const controller = new AbortController();
      peer.trouble(kind, () => controller.abort(new Error('took too long')));
      const error = await rejects(bring(sink, await publish(3), controller.signal));
      if (kind === 'hang' || kind === 'answer-lost') assert.equal(error.code, 'SINK_ANSWER_LOST');
      peer.heal();
    }
    assert.deepEqual(await peer.received(), heldOf(first));
    await sink.write(batchOf(second), never());
    await bring(sink, await publish(7));
    assert.deepEqual(await peer.received(), heldOf(first, second));
    assert.equal(await heads.check((await peer.checkpoints()).at(-1) ?? '', bytesOf(await peer.received())), 7);
    await sink.close();
  },

  'close settles a checkpoint that is under way': async ({ open, peer }) => {
    const sink = await open();
    const { publish } = headsNow();
    await sink.write(batchOf(first), never());
    const head = await publish(3);
    const outcome = bring(sink, head).then(
      () => 'taken',
      (error: { readonly code: string }) => error.code,
    );
    await sink.close();
    const how = await outcome;
    assert.ok(['taken', 'SINK_ANSWER_LOST', 'SINK_UNREACHABLE'].includes(how), how);
    if (how === 'taken') assert.deepEqual(await peer.checkpoints(), [head.checkpoint]);
  },

  'a checkpoint of another history, or of less, does not take the place of what is there': async ({ open, peer, rejects }) => {
    const sink = await open();
    const { publish } = headsNow();
    const other = new SignedHeads(ORIGIN, { now: () => 0 });
    await sink.write(batchOf(first), never());
    await sink.write(batchOf(second), never());
    const head = await publish(7);
    await bring(sink, head);
    const rewritten = await other.publish(bytesOf(heldOf({ from: 0, entries: entriesOf(100, 7) })));
    assert.equal((await rejects(bring(sink, rewritten))).code, 'CHECKPOINT_CONFLICT');
    assert.equal((await rejects(bring(sink, await publish(3)))).code, 'CHECKPOINT_CONFLICT');
    const foreign = await new SignedHeads('other.example/log', { now: () => 0 }).publish(bytesOf(heldOf(first)));
    assert.equal((await rejects(bring(sink, foreign))).code, 'DESTINATION_FOREIGN');
    assert.deepEqual(await peer.checkpoints(), [head.checkpoint]);
    await bring(sink, head);
    await sink.close();
  },
} as const satisfies Record<string, (bench: Bench<unknown>) => Promise<void>>;
