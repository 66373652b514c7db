import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Demo, DemoStep, PlaceVerdict as ShownPlace, Verdict } from '../../console/src/api/shapes.ts';
import type { DemoView, PlaceVerdict, StepView, VerdictView } from '../../src/cli/demo/question.ts';

/** `true` only where each is what the other wants, with the same keys. */
type Same<A, B> = [A, keyof A] extends [B, keyof B] ? ([B, keyof B] extends [A, keyof A] ? true : false) : false;

/** The page imports nothing of `src`, so it has shapes of its own. The check of types fails where they are not those of the answer. */
test('the page knows the answer of GET /demo as the demo gives it', () => {
  const same: [Same<Demo, DemoView>, Same<DemoStep, StepView>, Same<Verdict, VerdictView>, Same<ShownPlace, PlaceVerdict>] = [
    true,
    true,
    true,
    true,
  ];
  assert.deepEqual(new Set(same), new Set([true]));
});
