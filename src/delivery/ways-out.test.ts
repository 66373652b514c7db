import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ModelDestination } from '../../test/doubles/delivery-sinks.ts';
import { caughtUp, DeliveryWorld, diedInDoubt, lines, until, upTo } from '../../test/doubles/delivery-world.ts';
import { settle } from '../../test/doubles/manual-ports.ts';
import { ERROR_CODES, type ErrorCode, WaybillError } from '../contracts/errors.ts';
import type { Index } from '../contracts/units.ts';
import { openRemoved } from '../pipeline/removed.ts';
import type { Destination, DestinationOptions } from './destination.ts';
import { HaltedDestination } from './halted.ts';
import { journalKey } from './records.ts';
import { rename } from './renaming.ts';

/** What stands in a row: how a destination comes to stand still with this code, and how it is left. */
interface WayOut {
  readonly code: ErrorCode;
  readonly dedupe?: 'position' | 'key' | 'none';
  readonly options?: Partial<DestinationOptions>;
  /** Brings the halt about; the destination is opened after. */
  readonly cause: (model: ModelDestination, world: DeliveryWorld) => unknown;
  /** Leaves it by the way that the table on the page names. */
  readonly leave: (destination: Destination, model: ModelDestination, world: DeliveryWorld) => unknown;
}

const retry = (destination: Destination): Promise<void> => destination.retry();

/** Halts that a corrected destination leaves by `retry`: the batch that was refused goes again. */
const CORRECTED: readonly ErrorCode[] = [
  'SINK_UNAUTHORIZED',
  'SINK_NOT_FOUND',
  'SINK_REFUSED',
  'SINK_ADDRESS_PRIVATE',
  'SINK_FAILED',
  'BATCH_FAILED',
  'DISK_FAILED',
  'DESTINATION_FOREIGN',
  'TLS_INVALID',
];

/** Halts while the sink is opened, left in the same way. */
const AT_OPENING: readonly ErrorCode[] = ['DESTINATION_LOCKED', 'SINK_PACKAGE_MISSING'];

const ROWS: readonly WayOut[] = [
  ...CORRECTED.map((code): WayOut => ({ code, cause: (model) => model.script.push(new WaybillError(code, 'as it is')), leave: retry })),
  ...AT_OPENING.map((code): WayOut => {
    let times = 0;
    const model = new ModelDestination();
    const openSink = async () => {
      times += 1;
      if (times === 1) throw new WaybillError(code, 'as it is');
      return model.open();
    };
    return { code, options: { openSink }, cause: () => {}, leave: retry };
  }),
  {
    code: 'SINK_REFUSED_ENTRY',
    cause: (model) => model.poison.add(3),
    leave: async (destination, model) => {
      model.poison.clear();
      await destination.retry();
    },
  },
  {
    code: 'QUARANTINE_LIMIT',
    options: { onReject: 'quarantine' },
    cause: (model) => [3, 4, 5].map((index) => model.poison.add(index)),
    leave: async (destination, model) => {
      model.poison.clear();
      await destination.retry();
    },
  },
  {
    code: 'LEDGER_REWOUND',
    dedupe: 'position',
    cause: (model) => model.jump(40),
    leave: async (destination, model, world) => {
      // The restored ledger has what the destination has.
      await world.fill(30);
      await destination.retry();
      await until(world, () => destination.status().cursor >= 40, 'what it has is believed');
      model.jump(destination.status().cursor);
    },
  },
  {
    code: 'DESTINATION_BEHIND',
    dedupe: 'position',
    options: { start: 8 as Index },
    cause: () => {},
    leave: async (destination) => {
      const lacks = destination.status().lacks;
      assert.deepEqual(lacks, { from: 0, through: 7 });
      await destination.recover(lacks?.from ?? (0 as Index), lacks?.through ?? (0 as Index));
    },
  },
];

describe('every halt and its way out', () => {
  for (const { code, dedupe = 'key', options = {}, cause, leave } of ROWS) {
    test(code, async () => {
      const world = new DeliveryWorld();
      await world.fill(12);
      const model = new ModelDestination({ dedupe });
      cause(model, world);
      const destination = world.open(model, options);
      await until(world, () => destination.status().state === 'halted', 'it stands still');
      assert.equal(destination.status().error?.code, code);
      assert.equal(destination.status().error?.action, ERROR_CODES[code].action);
      await world.ports.clock.pass(10 ** 7);
      await settle();
      assert.equal(destination.status().state, 'halted', 'time alone changes nothing');
      await leave(destination, model, world);
      await caughtUp(world, destination);
      assert.equal(destination.status().state, 'running');
      await destination.close();
    });
  }

  test('BATCH_CHANGED', async () => {
    const { world, model, dead: first } = await diedInDoubt(5);
    const changed = world.open(model, { codec: { ...lines, type: 'other' }, codecFor: () => undefined });
    await until(world, () => changed.status().error?.code === 'BATCH_CHANGED', 'it stands still');
    await changed.retry();
    await caughtUp(world, changed);
    assert.deepEqual(model.indexes(), upTo(5));
    await changed.close();
    await first.close();
  });

  test('DESTINATION_LOST_DATA', async () => {
    const world = new DeliveryWorld();
    await world.fill(25);
    const model = new ModelDestination({ dedupe: 'position' });
    const first = world.open(model);
    await caughtUp(world, first);
    await first.close();
    model.forget(10);
    const next = world.open(model);
    await until(world, () => next.status().error?.code === 'DESTINATION_LOST_DATA', 'it stands still');
    const { lacks } = next.status();
    assert.deepEqual(lacks, { from: 10, through: 24 });
    await next.recover(10 as Index, 24 as Index);
    await caughtUp(world, next);
    await until(world, () => next.status().side === null, 'the recovery ends');
    assert.deepEqual(model.indexes().slice(0, 25), upTo(25));
    await next.close();
  });

  test('DESTINATION_LOST_DATA, when a part of it is not in the ledger any more', async () => {
    const world = new DeliveryWorld();
    await world.fill(25);
    const model = new ModelDestination({ dedupe: 'position' });
    const first = world.open(model);
    await caughtUp(world, first);
    await first.close();
    model.forget(5);
    world.ledger.prune(12);
    const next = world.open(model);
    await until(world, () => next.status().error?.code === 'DESTINATION_LOST_DATA', 'it stands still');
    await next.recover(5 as Index, 24 as Index);
    await until(world, () => next.status().side === null && next.status().lag === 0, 'the recovery ends');
    const filled = model.taken.find(({ from }) => from === 5);
    assert.equal(filled?.omitted.detached, 7);
    assert.deepEqual(world.control.find(({ type }) => type === 'recover.started')?.facts['gone'], 7);
    await next.close();
  });

  for (const code of ['DESTINATION_DETACHED', 'LEDGER_PRUNED'] as const) {
    test(code, async () => {
      const world = new DeliveryWorld();
      await world.fill(12);
      const model = new ModelDestination({ dedupe: 'key' });
      const first = world.open(model);
      await first.pause();
      if (code === 'DESTINATION_DETACHED') assert.equal(await first.detach(7 as Index), true);
      await first.close();
      world.ledger.prune(8);
      const next = world.open(model);
      if (code === 'LEDGER_PRUNED') await next.resume();
      await until(world, () => next.status().state === 'detached', 'it stands still');
      assert.equal(next.status().error?.code, code);
      await next.resume();
      await caughtUp(world, next);
      const detached = model.taken.reduce((sum, { omitted }) => sum + omitted.detached, 0);
      assert.equal(detached, model.taken[0]?.omitted.detached);
      assert.ok(detached >= 2);
      assert.equal(world.control.filter(({ type }) => type === 'destination.detached').length, 1);
      await next.close();
    });
  }

  test('TARGET_CHANGED', async () => {
    const world = new DeliveryWorld();
    await world.fill(12);
    const old = new ModelDestination({ dedupe: 'key' });
    const first = world.open(old, { target: { text: 'A', changed: null } });
    await caughtUp(world, first);
    await first.close();
    const other = new ModelDestination({ dedupe: 'key' });
    const halted = world.open(other, { target: { text: 'B', changed: null } });
    await until(world, () => halted.status().error?.code === 'TARGET_CHANGED', 'it stands still');
    assert.equal(other.attempts.length, 0);
    await halted.close();
    const next = world.open(other, { target: { text: 'B', changed: 'restart' } });
    await caughtUp(world, next);
    assert.deepEqual(other.indexes().slice(0, 12), upTo(12));
    await next.close();
    const again = world.open(other, { target: { text: 'B', changed: 'restart' } });
    await caughtUp(world, again);
    assert.equal(other.indexes().filter((index) => index === 0).length, 1, 'the word acts once');
    assert.equal(world.control.filter(({ type }) => type === 'destination.target_changed').length, 1);
    await again.close();
  });

  test('RENAME_REFUSED', async () => {
    const world = new DeliveryWorld();
    await world.fill(12);
    const { journal } = world.ledger;
    await assert.rejects(rename(journal, 'older', 'newer'), { code: 'RENAME_REFUSED', message: /no cursor of older/ });
    const older = new ModelDestination({ dedupe: 'key' });
    const first = world.open(older, { name: 'older' });
    await caughtUp(world, first);
    await first.close();
    const own = world.open(new ModelDestination({ dedupe: 'key' }), { name: 'newer' });
    await caughtUp(world, own);
    await own.close();
    await assert.rejects(rename(journal, 'older', 'newer'), { code: 'RENAME_REFUSED', message: /a cursor of its own/ });
    // The way out: forget the one that is not wanted.
    const control = async (type: string, facts: Readonly<Record<string, unknown>>, key?: string) => {
      await world.emit({ type, key: key ?? type, facts: facts as never });
      return 0 as Index;
    };
    const removed = openRemoved(world.ledger, { control }, (name) => name === 'older');
    assert.equal(removed.list().get('newer')?.state, 'removed');
    await assert.rejects(removed.forget('older'), { code: 'COMMAND_REFUSED' });
    await assert.rejects(removed.forget('nobody'), { code: 'DESTINATION_UNKNOWN' });
    await removed.forget('newer');
    assert.equal(world.control.at(-1)?.type, 'destination.forgotten');
    await rename(journal, 'older', 'newer');
    await rename(journal, 'older', 'newer');
    assert.deepEqual(journal.keys(), [journalKey('newer')]);
    const renamed = world.open(older, { name: 'newer' });
    await caughtUp(world, renamed);
    assert.equal(older.indexes().filter((index) => index === 0).length, 1, 'it goes on, and does not begin anew');
    await renamed.close();
  });

  test('JOURNAL_INVALID', async () => {
    const world = new DeliveryWorld();
    await world.fill(12);
    const { journal } = world.ledger;
    await journal.append(journalKey('lake'), '[1,{"type":"of another version"}]');
    const model = new ModelDestination({ dedupe: 'key' });
    let error: unknown = null;
    try {
      world.open(model);
    } catch (thrown) {
      error = thrown;
    }
    assert.ok(error instanceof WaybillError && error.code === 'JOURNAL_INVALID');
    const halted = new HaltedDestination('lake', error, () => world.ledger.size());
    assert.deepEqual([halted.status().state, halted.status().error?.code, halted.status().neededFrom], ['halted', 'JOURNAL_INVALID', 0]);
    await assert.rejects(halted.retry(), { code: 'COMMAND_REFUSED' });
    const removed = openRemoved(world.ledger, { control: async () => 0 as Index }, () => false);
    await removed.forget('lake');
    const next = world.open(model);
    await caughtUp(world, next);
    assert.deepEqual(model.indexes(), upTo(12));
    await next.close();
  });

  test('a rename that dies in between is finished at the next start', async () => {
    const world = new DeliveryWorld();
    await world.fill(12);
    const model = new ModelDestination({ dedupe: 'key' });
    model.script.push('take', 'hang');
    const first = world.open(model, { name: 'older' });
    await until(world, () => model.attempts.length === 2, 'the second batch is in flight');
    world.crash();
    const { journal } = world.ledger;
    await rename({ ...journal, forget: () => Promise.reject(new Error('the process died')) }, 'older', 'newer').catch(() => {});
    assert.equal(journal.keys().length, 2);
    await rename(journal, 'older', 'newer');
    assert.deepEqual(journal.keys(), [journalKey('newer')]);
    const renamed = world.open(model, { name: 'newer' });
    await caughtUp(world, renamed);
    assert.equal(model.attempts[1]?.id, model.attempts[2]?.id, 'a batch in doubt keeps its identity');
    await renamed.close();
    await first.close();
  });

  test('of each there is a row in the page for operators, and a test here', () => {
    const operating = readFileSync(new URL('../../docs/operating.md', import.meta.url), 'utf8');
    const [, page = ''] = operating.split(/^#+ Every halt and its way out$/m).map((part) => part.split(/^#/m)[0] ?? '');
    const here = readFileSync(new URL(import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1] ?? '');
    const halting = Object.entries(ERROR_CODES).filter(
      ([code, { remedy }]) => remedy !== 'retry' && /^(?:SINK|BATCH|DESTINATION|QUARANTINE)_/.test(code),
    );
    const others = ['TARGET_CHANGED', 'RENAME_REFUSED', 'JOURNAL_INVALID', 'LEDGER_REWOUND', 'LEDGER_PRUNED', 'DISK_FAILED', 'TLS_INVALID'];
    const codes = [...halting.map(([code]) => code).filter((code) => code !== 'DESTINATION_UNKNOWN'), ...others];
    assert.deepEqual(
      codes.filter((code) => !rows.includes(code)),
      [],
      'codes without a row',
    );
    assert.deepEqual(
      codes.filter((code) => !here.includes(`'${code}'`)),
      [],
      'codes without a test',
    );
    assert.deepEqual(
      rows.filter((code) => !codes.includes(code)),
      [],
      'rows of codes that stop no destination',
    );
  });
});
