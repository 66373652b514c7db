import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createNames, refuseNames, refuseRename, SOURCE_NAMES_MAX } from './names.ts';

/** What a ledger says of sources that have this many entries. */
function ledgerWith(entries: Readonly<Record<string, number>>, positions: readonly string[] = []) {
  return {
    sequence: (name: string) => entries[name] ?? 0,
    positions: (name: string) => new Map(positions.includes(name) ? [['', 'place' as never]] : []),
  };
}

describe('names of sources', () => {
  test('a name that nobody changed is its own', () => {
    const names = createNames([]);
    assert.deepEqual([names.first('app'), names.current('app'), names.all('app'), names.rows()], ['app', 'app', ['app'], []]);
    assert.deepEqual(names.earlier('app'), []);
  });

  test('a chain has one first and one current name, whichever of them is asked for, also after a restore', () => {
    const fold = createNames([]);
    fold.renamed('a', 'b');
    fold.renamed('x', 'y');
    fold.renamed('b', 'c');
    for (const names of [fold, createNames(JSON.parse(JSON.stringify(fold.rows())) as string[][])]) {
      for (const name of ['a', 'b', 'c']) {
        assert.deepEqual([names.first(name), names.current(name), names.all(name)], ['a', 'c', ['c', 'b', 'a']]);
      }
      assert.deepEqual(names.earlier('c'), ['b', 'a']);
      assert.deepEqual(names.all('y'), ['y', 'x']);
    }
  });

  test('a source that is named back is called by its first name again', () => {
    const names = createNames([]);
    names.renamed('a', 'b');
    names.renamed('b', 'a');
    assert.deepEqual([names.first('b'), names.current('b'), names.all('a')], ['a', 'a', ['a', 'b']]);
    const restored = createNames(names.rows());
    assert.deepEqual([restored.first('b'), restored.current('b'), restored.all('a')], ['a', 'a', ['a', 'b']]);
  });
});

describe('a renaming is refused', () => {
  const code = 'RENAME_REFUSED';

  test('where nothing is known of the old name; a position alone is something', () => {
    assert.throws(() => refuseRename('a', 'b', ledgerWith({}), createNames([])), { code, message: /nothing of a source a/ });
    refuseRename('a', 'b', ledgerWith({ a: 1 }), createNames([]));
    refuseRename('a', 'b', ledgerWith({}, ['a']), createNames([]));
  });

  test('where the new name has entries, places or an earlier name of its own', () => {
    const other = createNames([['x', 'b', 'x']]);
    assert.throws(() => refuseRename('a', 'b', ledgerWith({ a: 3, b: 2 }), createNames([])), {
      code,
      message: /b .* 2 entries, .* a, with 3/,
    });
    assert.throws(() => refuseRename('a', 'b', ledgerWith({ a: 3 }, ['b']), createNames([])), { code });
    assert.throws(() => refuseRename('a', 'b', ledgerWith({ a: 3 }), other), { code });
  });

  test('where the old name was given up, with the name that it has now', () => {
    const names = createNames([['a', 'b', 'a']]);
    assert.throws(() => refuseRename('a', 'c', ledgerWith({ a: 3, b: 1 }), names), {
      code,
      message: /a is called b now; renamed_from: b gives it the name c/,
    });
    refuseRename('b', 'c', ledgerWith({ a: 3 }), names);
    refuseRename('b', 'a', ledgerWith({ a: 3, b: 1 }), names);
    const named = (name: string, renamedFrom: string | null) => () =>
      refuseNames([{ name, renamedFrom }], ledgerWith({ a: 3, b: 1 }), names);
    assert.throws(named('a', null), { code, message: /renamed_from: b/ });
    assert.throws(named('a', 'x'), { code, message: /nothing of a source x/ });
    for (const [name, from] of [
      ['b', null],
      ['b', 'a'],
      ['a', 'b'],
      ['c', 'b'],
      ['other', null],
    ] as const)
      named(name, from)();
  });

  test('beyond so many names; to be named back is no further name', () => {
    const had = Array.from({ length: SOURCE_NAMES_MAX }, (_, k) => `n${k}`);
    const names = createNames([['n3', ...had]]);
    assert.throws(() => refuseRename('n0', 'more', ledgerWith({ n0: 1 }), names), { code, message: /16 names, of 16/ });
    refuseRename('n0', 'n5', ledgerWith({ n0: 1 }), names);
  });
});
