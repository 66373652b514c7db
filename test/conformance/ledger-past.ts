import assert from 'node:assert/strict';
import type { Ledger } from '../../src/contracts/ledger.ts';
import { asIndex } from '../../src/contracts/units.ts';
import type { Check } from './ledger.ts';
import { append, simpleRun } from './ledger-workload.ts';

/** What a ledger still knows of what lies behind it. */
export function past(check: Check): void {
  check('reads the past of a journal key, folded or not, from any entry on', [], async (place) => {
    const wanted: { readonly size: number; readonly text: string }[] = [];
    const pastOf = async (ledger: Ledger, from: number): Promise<string[]> => {
      const texts: string[] = [];
      for await (const one of ledger.journal.history('dest:a', asIndex(from), new AbortController().signal))
        texts.push(one.kind === 'record' ? one.record : 'forgotten');
      return texts;
    };
    for (let life = 0; life < 3; life++) {
      const ledger = await place.open();
      ledger.journal.compact('dest:a', () => 'folded');
      for (let k = 0; k < 20; k++) {
        if (k % 3 === 0) await append(ledger, simpleRun('app', 90, 100));
        const text = `${life}.${k} "x\u0000`;
        wanted.push({ size: ledger.assigned(), text });
        await Promise.all([ledger.journal.append('dest:a', text), ledger.journal.append('dest:b', 'other')]);
      }
      if (life === 1) {
        wanted.push({ size: ledger.assigned(), text: 'forgotten' });
        await ledger.journal.forget('dest:a');
      }
      for (const from of [0, 1, 89, 90, 700, ledger.size() - 1, ledger.size()]) {
        const expected = wanted.filter(({ size }) => size > from).map(({ text }) => text);
        assert.deepEqual(await pastOf(ledger, from), expected, `from ${from} in life ${life}`);
      }
      const stop = new AbortController();
      stop.abort(new Error('stopped'));
      await assert.rejects(async () => {
        for await (const _ of ledger.journal.history('dest:a', asIndex(0), stop.signal)) assert.fail('something was read');
      }, /stopped/);
      await ledger.close();
    }
  });
}
