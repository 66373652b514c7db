import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { adapters } from '../../src/cli/load-config.ts';
import { warningsOf } from '../../src/cli/warnings.ts';
import { faultText } from '../../src/config/faults.ts';
import { readConfig } from '../../src/config/read-config.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/security.md'), 'utf8');
const blocks = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);

test('every configuration on the page is right, and is nothing to be warned of', () => {
  assert.equal(blocks.length, 2);
  for (const block of blocks) {
    const text = `ledger: { origin: acme.example/audit, path: ./data }\nsources: { app: { type: http } }\n${block}`;
    const reading = readConfig(text, '/etc/acme/waybill.yaml', { environment: () => null, file: () => null }, adapters);
    assert.ok(reading.ok, reading.ok ? '' : reading.faults.map(faultText).join('\n'));
    assert.deepEqual(warningsOf(reading.config), []);
    // What the page says is needed is needed.
    const bare = text.replace(/, tls: \{[^}]*\}/, '');
    if (bare !== text)
      assert.equal(readConfig(bare, '/etc/acme/waybill.yaml', { environment: () => null, file: () => null }, adapters).ok, false);
  }
});
