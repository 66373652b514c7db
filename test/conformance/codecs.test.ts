import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codecs } from '../../src/codecs/table.ts';
import { codecConformance } from './codec.ts';
import { codecGoldens } from './harnesses.ts';

test('every codec has a row', () => {
  assert.deepEqual(Object.keys(codecGoldens).sort(), Object.keys(codecs).sort());
  for (const [type, codec] of Object.entries(codecs)) assert.equal(codec.type, type);
});

for (const [type, ending] of Object.entries(codecGoldens)) codecConformance(codecs[type as keyof typeof codecs], ending);
