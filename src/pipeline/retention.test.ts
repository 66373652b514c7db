import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryDisk } from '../../test/conformance/memory-disk.ts';
import { newLedger, OPTIONS } from '../../test/conformance/small-ledger.ts';
import { manualPorts, settle } from '../../test/doubles/manual-ports.ts';
import { MemoryIdentities } from '../../test/doubles/memory-identities.ts';
import { native } from '../codecs/native.ts';
import type { Config, MaxLag } from '../config/config.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Ports } from '../contracts/ports.ts';
import type { Sink } from '../contracts/sink.ts';
import { asIndex, asSize } from '../contracts/units.ts';
import { type Destination, openDestination } from '../delivery/destination.ts';
import { openIntake } from '../intake/sequencer.ts';
import type { EmbeddedLedger } from '../ledger/embedded/embedded.ts';
import { openEmbeddedLedger } from '../ledger/embedded/embedded.ts';
import { startRetention } from './retention.ts';

const HOUR = 3_600_000;

/** A real ledger of small segments with its intake and retention, by a clock that moves when a test says so. */
async function openWorld(retain: Config['ledger']['retain'], maxLag: MaxLag | null = null) {
  const memory = new MemoryDisk();
  await (await newLedger(memory)).close();
  const ports = manualPorts();
  const ledger = await openEmbeddedLedger(OPTIONS, { ...ports, disk: memory });
  const sources = new Map([['app', { schema: 'json', idField: null, onInvalid: 'refuse' } as const]]);
  const intake = await openIntake({ ledger, identities: new MemoryIdentities(), ports, sources, refusedPath: '/refused' });
  const destinations = new Map<string, Destination>();
  const facts = {
    watermark: Number.MAX_SAFE_INTEGER,
    hashed: Number.MAX_SAFE_INTEGER,
    published: Number.MAX_SAFE_INTEGER,
    forgottenBelow: 0,
    persists: 0,
  };
  const config = { ledger: { retain }, destinations: [{ name: 'slow', maxLag }] } as unknown as Pick<Config, 'ledger' | 'destinations'>;
  const retention = startRetention({
    ledger,
    intake,
    ports,
    destinations,
    config: () => config,
    identities: {
      watermark: () => asSize(Math.min(facts.watermark, ledger.size())),
      persist: () => void facts.persists++,
      facts: () => ({ entries: 0, runs: 0, memoryBytes: 0, rebuilding: false, forgottenBelow: asIndex(facts.forgottenBelow) }),
    },
    tree: {
      size: () => asSize(Math.min(facts.hashed, ledger.size())),
      pin: async () => {},
      root: async (size) => `the root over ${size}`,
    },
    heads: { published: () => ({ size: asSize(Math.min(facts.published, ledger.size())), root: '', checkpoint: '', at: 0 }) },
  });
  const add = async (count: number): Promise<void> => {
    for (let k = 0; k < count; k += 50) {
      const body = Array.from({ length: 50 }, (_, n) => `{"n":${k + n},"pad":"${'x'.repeat(60)}"}\n`).join('');
      const checked = intake.check('app', Buffer.from(body), 'lines');
      await intake.submit({ source: 'app', checked, partial: false }, new AbortController().signal);
    }
    await settle();
  };
  const controls = async (): Promise<Record<string, unknown>[]> => {
    const events: Record<string, unknown>[] = [];
    for (let from: number = ledger.beginning(); from < ledger.size(); ) {
      const { bytes, count, starts, ends } = await ledger.read(asIndex(from), { entries: 1_000, bytes: 1_000_000 });
      for (let k = 0; k < count; k++) {
        const entry = JSON.parse(Buffer.from(bytes.subarray(starts[k], ends[k])).toString()) as {
          source: string;
          event: Record<string, unknown>;
        };
        if (entry.source === 'waybill') events.push(entry.event);
      }
      from += count;
    }
    return events;
  };
  const close = async (): Promise<void> => {
    await retention.close();
    for (const destination of destinations.values()) await destination.close();
    await intake.close();
    await ledger.close();
  };
  return { ledger, intake, retention, destinations, config, facts, ports, add, controls, close };
}

/** A destination that keeps what it gets, or is not there. */
function destinationOf(ledger: EmbeddedLedger, ports: ReturnType<typeof manualPorts>, reachable: { now: boolean }): Destination {
  const sink: Sink = {
    traits: {
      ack: 'durable',
      dedupe: 'none',
      batch: { entries: 500, bytes: 100_000, waitMs: 0 },
      inFlightMax: 1,
      carriesEmpty: true,
    },
    write: async () => {
      if (!reachable.now) throw new WaybillError('SINK_UNREACHABLE', 'not there');
      return {};
    },
    close: async () => undefined,
  };
  return openDestination({
    name: 'slow',
    origin: ledger.origin,
    ledger,
    openSink: async () => sink,
    codec: native,
    start: 'beginning',
    emitControl: async () => undefined,
    // This sink reaches nothing, so it needs no more of the world than the test has.
    ports: ports as unknown as Ports,
  });
}

describe('retention', () => {
  test('is off by default: nothing is ever removed', async () => {
    const world = await openWorld({ ageMs: null, bytes: null });
    await world.add(2_000);
    await world.ports.clock.pass(10_000);
    assert.deepEqual([world.retention.status(), Number(world.ledger.beginning())], [{ state: 'off', held_by: null, removed: 0 }, 0]);
    await world.close();
  });

  test('by bytes removes the oldest segments, and declares each removal first', async () => {
    const world = await openWorld({ ageMs: null, bytes: 300_000 });
    await world.add(3_000);
    for (let k = 0; k < 3; k++) await world.ports.clock.pass(1_000);
    const beginning = Number(world.ledger.beginning());
    assert.ok(beginning > 0);
    assert.ok(world.ledger.space().used > 150_000 && world.ledger.space().used <= 300_000, `${world.ledger.space().used}`);
    assert.equal(world.retention.status().removed, beginning);
    const prunes = (await world.controls()).filter(({ type }) => type === 'prune');
    assert.deepEqual([prunes[0]?.['from'], prunes.at(-1)?.['through'], prunes[0]?.['reason']], [0, beginning - 1, 'bytes']);
    await world.close();
  });

  test('removes nothing before a published head covers its declaration, which has the root of what goes', async () => {
    const world = await openWorld({ ageMs: null, bytes: 300_000 });
    world.facts.published = 0;
    await world.add(3_000);
    for (let k = 0; k < 30; k++) await world.ports.clock.pass(200);
    assert.equal(world.ledger.beginning(), 0);
    assert.deepEqual([world.retention.status().state, world.retention.status().held_by?.kind], ['held', 'heads']);
    const [prune] = (await world.controls()).filter(({ type }) => type === 'prune');
    assert.equal(prune?.['root'], `the root over ${Number(prune?.['through']) + 1}`);
    world.facts.published = Number.MAX_SAFE_INTEGER;
    for (let k = 0; k < 15; k++) await world.ports.clock.pass(200);
    assert.equal(Number(world.ledger.beginning()), Number(prune?.['through']) + 1);
    assert.equal((await world.controls()).filter(({ type }) => type === 'prune').length, 1);
    await world.close();
  });

  test('by age removes a segment when its last entry is old enough', async () => {
    const world = await openWorld({ ageMs: HOUR, bytes: null });
    await world.add(2_000);
    await world.ports.clock.pass(HOUR / 2);
    assert.equal(world.ledger.beginning(), 0);
    await world.add(1_000);
    for (let k = 0; k < 3; k++) await world.ports.clock.pass(HOUR / 3);
    const beginning = Number(world.ledger.beginning());
    assert.ok(beginning > 1_000 && beginning <= 2_000, `${beginning}`);
    await world.close();
  });

  test('by age waits for an operator after a step of the clock, also after a restart of the intake', async () => {
    const world = await openWorld({ ageMs: HOUR, bytes: null });
    await world.add(2_000);
    world.ports.clock.wall += 100 * HOUR;
    await world.add(50);
    await world.ports.clock.pass(2_000);
    assert.equal(world.ledger.beginning(), 0);
    const { state, held_by } = world.retention.status();
    assert.deepEqual([state, held_by?.kind], ['held', 'clock']);
    assert.equal(await world.retention.confirmClock(), true);
    assert.equal(await world.retention.confirmClock(), false);
    await world.ports.clock.pass(2_000);
    assert.ok(world.ledger.beginning() > 0);
    await world.close();
  });

  test('by age removes nothing for a step of the clock that no event has shown', async () => {
    const world = await openWorld({ ageMs: HOUR, bytes: null });
    await world.add(2_000);
    world.ports.clock.wall += 10 * 365 * 24 * HOUR;
    for (let k = 0; k < 3; k++) await world.ports.clock.pass(1_000);
    assert.deepEqual([Number(world.ledger.beginning()), world.retention.status().held_by?.kind], [0, 'clock']);
    assert.equal((await world.controls()).filter(({ type }) => type === 'clock').length, 1);
    await world.close();
  });

  test('stops at a destination that needs the entries, and names it', async () => {
    const world = await openWorld({ ageMs: null, bytes: 120_000 });
    const reachable = { now: false };
    world.destinations.set('slow', destinationOf(world.ledger, world.ports, reachable));
    await world.add(3_000);
    await world.ports.clock.pass(1_000);
    assert.equal(world.ledger.beginning(), 0);
    assert.deepEqual(world.retention.status(), { state: 'held', held_by: { kind: 'destination', name: 'slow', index: 0 }, removed: 0 });
    reachable.now = true;
    for (let k = 0; k < 40; k++) await world.ports.clock.pass(1_000);
    assert.ok(world.ledger.beginning() > 0);
    await world.close();
  });

  test('waits for a destination that was taken out of the configuration, until it is forgotten', async () => {
    const world = await openWorld({ ageMs: null, bytes: 120_000 });
    const gone = destinationOf(world.ledger, world.ports, { now: false });
    (world.config as { destinations: readonly unknown[] }).destinations = [];
    await world.add(3_000);
    await gone.close();
    await world.ports.clock.pass(1_000);
    assert.deepEqual(world.retention.status().held_by, { kind: 'removed', name: 'slow', index: 0 });
    await world.ledger.journal.forget('delivery:slow');
    for (let k = 0; k < 3; k++) await world.ports.clock.pass(1_000);
    assert.ok(world.ledger.beginning() > 0);
    await world.close();
  });

  for (const maxLag of [{ by: 'bytes', bytes: 50_000 } as const, { by: 'age', ms: HOUR } as const]) {
    test(`detaches a destination that is more than max_lag behind, by ${maxLag.by}`, async () => {
      const world = await openWorld({ ageMs: null, bytes: 120_000 }, maxLag);
      const slow = destinationOf(world.ledger, world.ports, { now: false });
      world.destinations.set('slow', slow);
      await world.add(3_000);
      if (maxLag.by === 'age') {
        await world.ports.clock.pass(1_000);
        assert.equal(world.ledger.beginning(), 0);
        await world.ports.clock.pass(HOUR);
      }
      for (let k = 0; k < 40 && world.ledger.beginning() === 0; k++) await world.ports.clock.pass(1_000);
      assert.ok(world.ledger.beginning() > 0);
      assert.equal(slow.status().state, 'detached');
      await world.close();
    });
  }

  test('keeps what the identities and the tree have not taken in, and asks the identities to hurry', async () => {
    const world = await openWorld({ ageMs: null, bytes: 120_000 });
    world.facts.watermark = 0;
    await world.add(3_000);
    await world.ports.clock.pass(1_000);
    assert.deepEqual([Number(world.ledger.beginning()), world.retention.status().held_by?.kind], [0, 'identities']);
    assert.ok(world.facts.persists > 0);
    world.facts.watermark = Number.MAX_SAFE_INTEGER;
    world.facts.hashed = 300;
    await world.ports.clock.pass(1_000);
    assert.ok(world.ledger.beginning() > 0 && world.ledger.beginning() <= 300, `${world.ledger.beginning()}`);
    await world.close();
  });

  test('declares once that identities of removed entries were forgotten', async () => {
    const world = await openWorld({ ageMs: null, bytes: null });
    world.facts.forgottenBelow = 700;
    for (let k = 0; k < 3; k++) await world.ports.clock.pass(1_000);
    assert.deepEqual(await world.controls(), [{ type: 'identities.forgotten', below: 700 }]);
    await world.close();
  });
});
