import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SourceDefinition } from '../../src/contracts/source.ts';
import { sources } from '../../src/sources/table.ts';
import { sourceHarnesses } from './source-harnesses.ts';

test('every kind of source that is pulled has a row', () => {
  const pulled = Object.values<SourceDefinition>(sources).filter(({ traits }) => traits.delivery === 'resumable');
  assert.deepEqual(
    Object.keys(sourceHarnesses).sort(),
    pulled.map(({ type }) => type),
  );
});

for (const run of Object.values(sourceHarnesses)) run();
