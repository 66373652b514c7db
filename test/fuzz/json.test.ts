import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FORMS } from '../../src/intake/check-forms.ts';
import { fuzzBodies } from './json-bodies.ts';
import { fuzzEvents, fuzzScanner } from './json-check.ts';
import { formsCovered } from './json-event.ts';

test('the scanner and JSON.parse agree', () => {
  const { inputs, accepted } = fuzzScanner(1, 20_000);
  assert.ok(accepted > inputs / 5 && accepted < (inputs * 4) / 5, `${accepted} of ${inputs} were accepted`);
});

test('the one-pass check of waybill/1 and the readable one agree', () => {
  const { inputs, accepted } = fuzzEvents(1, 8_000);
  assert.ok(accepted > inputs / 5 && accepted < (inputs * 4) / 5, `${accepted} of ${inputs} were accepted`);
});

test('submissions are read as the obvious way reads them', () => {
  const { inputs, accepted } = fuzzBodies(1, 2_500);
  assert.ok(accepted > inputs / 5 && accepted < inputs, `${accepted} of ${inputs} could be read`);
});

test('the generator knows every form', () => {
  assert.deepEqual(formsCovered, Object.keys(FORMS));
});
