import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './target.ts';
import { TARGETS } from './targets.ts';

// A short run of what `npm run fuzz` does a million times.
for (const target of TARGETS) {
  test(`${target.name}: what comes out is right, or a refusal`, async () => {
    const { inputs, accepted } = await fuzz(target, 1, Math.max(200, Math.ceil(8_000 / target.cost)));
    assert.ok(accepted > inputs / 50 && accepted < inputs, `${accepted} of ${inputs} were taken: the inputs say little`);
  });
}
