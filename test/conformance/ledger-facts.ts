import assert from 'node:assert/strict';
import { asPosition } from '../../src/contracts/units.ts';
import type { Check } from './ledger.ts';
import { append, simpleRun, sortedPairs } from './ledger-workload.ts';

/** What a ledger keeps beside its entries: positions, the register and the journal. */
export function facts(check: Check): void {
  check('knows where each source and partition resumes, also without an event', [], async (place) => {
    const ledger = await place.open();
    const at = (partition: string | null, position: string | null, count: number, closes = false) => ({
      ...simpleRun('db', count),
      partition,
      position: position === null ? null : asPosition(position),
      closes,
    });
    await append(ledger, at('a', '1', 2));
    await append(ledger, at('b', '9', 0));
    await append(ledger, at('a', '2', 0));
    await append(ledger, at('c', '5', 1));
    await append(ledger, at('c', '6', 1, true));
    await append(ledger, at('a', null, 1));
    await append(ledger, { ...simpleRun('logs', 1, 40, 'whole') });
    const expected = [
      ['a', '2'],
      ['b', '9'],
    ];
    for (const open of [ledger, null]) {
      if (open === null) await ledger.close();
      const reader = open ?? (await place.open());
      assert.deepEqual(sortedPairs(reader.positions('db')), expected);
      assert.deepEqual([...reader.positions('logs')], [['', 'whole']]);
      assert.deepEqual([...reader.positions('unknown')], []);
      assert.deepEqual([reader.sequence('db'), reader.sequence('logs'), reader.sequence('unknown')], [5, 1, 0]);
      if (open === null) await reader.close();
    }
  });

  check('gives the positions of a source to its new name with the run that says so, once and for all', [], async (place) => {
    const ledger = await place.open();
    const at = (source: string, partition: string, position: string) => ({
      ...simpleRun(source, 1),
      partition,
      position: asPosition(position),
    });
    await append(ledger, at('db', 'a', '1'));
    await append(ledger, at('db', 'b', '2'));
    await append(ledger, { ...simpleRun('notes', 1), moves: { from: 'db', to: 'lake' } });
    await append(ledger, at('lake', 'b', '3'));
    await append(ledger, { ...simpleRun('notes', 1), moves: { from: 'nobody', to: 'somebody' } });
    await append(ledger, { ...simpleRun('lake', 1), moves: { from: 'lake', to: 'db' } });
    await append(ledger, at('db', 'c', '4'));
    await assert.rejects(append(ledger, { ...simpleRun('notes', 1), moves: { from: 'lake', to: 'db' } }), { name: 'BrokenInvariant' });
    for (const open of [ledger, null]) {
      if (open === null) await ledger.close();
      const reader = open ?? (await place.open());
      const pairs = ['db', 'lake', 'nobody', 'somebody'].map((source) => sortedPairs(reader.positions(source)).join(' '));
      assert.deepEqual(pairs, ['a,1 b,3 c,4', '', '', '']);
      assert.deepEqual(
        ['db', 'lake', 'notes'].map((source) => reader.sequence(source)),
        [3, 2, 2],
      );
      if (open === null) await reader.close();
    }
  });

  check('keeps a register that is compared before it is set, durably', [], async (place) => {
    const ledger = await place.open();
    assert.equal(ledger.register.get('head'), null);
    await ledger.register.set('head', 'one', null);
    await assert.rejects(ledger.register.set('head', 'two', null), { code: 'REGISTER_CONFLICT' });
    const [second, third] = await Promise.allSettled([
      ledger.register.set('head', 'two', 'one'),
      ledger.register.set('head', 'three', 'one'),
    ]);
    assert.deepEqual([second?.status, third?.status], ['fulfilled', 'rejected']);
    assert.equal(ledger.register.get('head'), 'two');
    await ledger.close();
    const again = await place.open();
    assert.equal(again.register.get('head'), 'two');
    assert.equal(again.register.get('other'), null);
    await again.close();
  });

  check('keeps the journal in the order of each key, folds it, and forgets', [], async (place) => {
    let count = 0;
    let folds = 0;
    for (let life = 0; life < 4; life++) {
      const ledger = await place.open();
      const { state, records } = ledger.journal.load('dest:a');
      assert.equal(Number(state ?? 0) + records.length, count);
      ledger.journal.compact('dest:a', () => {
        folds++;
        return String(count);
      });
      const pending: Promise<void>[] = [];
      for (let k = 0; k < 30; k++) {
        count++;
        pending.push(ledger.journal.append('dest:a', `r${count}`));
        pending.push(ledger.journal.append(`dest:${life}`, 'x\u0000"'));
        if (k % 7 === 0) await append(ledger, simpleRun('app', 200, 100));
      }
      await Promise.all(pending);
      if (life === 2) await ledger.journal.forget('dest:0');
      await ledger.close();
    }
    assert.ok(folds > 0);
    const ledger = await place.open();
    assert.deepEqual(ledger.journal.load('dest:0'), { state: null, records: [] });
    assert.deepEqual(
      ledger.journal.load('dest:3').records,
      Array.from({ length: 30 }, () => 'x\u0000"'),
    );
    assert.deepEqual([...ledger.journal.keys()].sort(), ['dest:1', 'dest:2', 'dest:3', 'dest:a']);
    await ledger.close();
  });
}
