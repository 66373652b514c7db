import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sinks } from '../../src/sinks/table.ts';
import { sinkHarnesses } from './harnesses.ts';

test('every kind of sink has a row', () => {
  assert.deepEqual(Object.keys(sinkHarnesses).sort(), Object.keys(sinks).sort());
});

for (const run of Object.values(sinkHarnesses)) run();
