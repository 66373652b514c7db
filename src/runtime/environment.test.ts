import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEnvironment } from './environment.ts';

test('the environment has what was set, and no name that every object has', (t) => {
  process.env['WAYBILL_OF_THIS_TEST'] = 'x';
  t.after(() => delete process.env['WAYBILL_OF_THIS_TEST']);
  const variables = readEnvironment();
  assert.equal(variables['WAYBILL_OF_THIS_TEST'], 'x');
  for (const name of ['constructor', '__proto__', 'toString']) assert.equal(variables[name], undefined);
});
