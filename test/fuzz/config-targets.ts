import assert from 'node:assert/strict';
import { adapters } from '../../src/cli/load-config.ts';
import { faultText } from '../../src/config/faults.ts';
import { listen, start, time } from '../../src/config/keys.ts';
import { type ConfigReading, readConfig } from '../../src/config/read-config.ts';
import { replaceReferences } from '../../src/config/references.ts';
import { DURATION_PATTERN, parseDuration, parseSize, SIZE_PATTERN } from '../../src/contracts/quantities.ts';
import type { FuzzTarget } from './target.ts';
import { mangled } from './text.ts';

const SECRET = 'a-planted-secret-of-the-environment';

const GOOD = `ledger: { origin: acme.example/audit, path: ./data, limit: 2GiB }
api:
  listen: 127.0.0.1:0
  tokens:
    - { name: billing, role: producer, sources: [app], token: "\${TOKEN}" }
    - { name: ops, role: operator, token_sha256: ${'ab'.repeat(32)}, expires: 2027-01-31 }
sources:
  app: { type: http, schema: json, id_field: id, gap_after: 5s }
destinations:
  lake: { type: http, url: "http://127.0.0.1:1/in?key=\${TOKEN}", token: "\${TOKEN}", start: now, batch: { entries: 7, wait: 250ms } }
  local: { type: file, path: out/audit.ndjson, start: 12, on_reject: quarantine }
`;

/** What one part of a file is like: reading a whole one each time would spend most of the time on what was not changed. */
const PARTS = [
  'ledger: { origin: a.example/b, path: ./data, limit: 2GiB, retain: { age: 400d } }\n',
  'ledger: { origin: a.example/b }\napi:\n  tokens:\n    - { name: t, role: operator, token: "${TOKEN}" }\n',
  'ledger: { origin: a.example/b }\nsources:\n  app: { type: http, schema: json, id_field: id }\n',
  'ledger: { origin: a.example/b }\ndestinations:\n  lake: { type: http, url: "http://127.0.0.1:1/?k=${TOKEN}", start: now }\n',
];

const readers = { environment: (name: string) => (name === 'TOKEN' ? SECRET : null), file: () => null };

const yaml: FuzzTarget = {
  name: 'configuration file',
  cost: 400,
  one(dice) {
    const reading: ConfigReading = readConfig(mangled(dice, dice.once(8) ? [GOOD] : PARTS), '/etc/acme/waybill.yaml', readers, adapters);
    const said = reading.ok ? JSON.stringify(reading.config.shown) : reading.faults.map(faultText).join('\n');
    assert.ok(!said.includes(SECRET), said);
    if (reading.ok) {
      assert.ok(reading.config.ledger.path.startsWith('/'));
      assert.ok(reading.config.api.tokens.every(({ proof }) => proof.by === 'name' || /^[0-9a-f]{64}$/.test(proof.sha256)));
      return true;
    }
    assert.ok(reading.faults.length > 0);
    for (const { line, column, message } of reading.faults) assert.ok(line >= 1 && column >= 1 && message !== '');
    return false;
  },
};

/** The same by hand, one character after the other. */
function replacedByHand(text: string, environment: ReadonlyMap<string, string>): string | null {
  let out = '';
  for (let at = 0; at < text.length; ) {
    const escaped = text.startsWith('$${', at);
    if (!escaped && !text.startsWith('${', at)) {
      out += text[at];
      at += 1;
      continue;
    }
    const begins = at + (escaped ? 3 : 2);
    const end = text.indexOf('}', begins);
    if (escaped) {
      out += text.slice(at + 1, end === -1 ? text.length : end + 1);
      at = end === -1 ? text.length : end + 1;
      continue;
    }
    if (end === -1) return null;
    const inner = text.slice(begins, end);
    const dash = inner.indexOf(':-');
    const name = dash === -1 ? inner : inner.slice(0, dash);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return null;
    const value = environment.get(name);
    if (dash !== -1 && (value === undefined || value === '')) out += inner.slice(dash + 2);
    else if (value === undefined) return null;
    else out += value;
    at = end + 1;
  }
  return out;
}

const VALUES = new Map([
  ['A', 'value-of-a'],
  ['B', ''],
  ['C_1', '${A} $${A} }'],
]);

const references: FuzzTarget = {
  name: 'references in values',
  cost: 2,
  one(dice) {
    const text = mangled(dice, [
      '${A}',
      'x${B:-default}y',
      '$${A}',
      'a${C_1}b${A}',
      '${file:x}',
      '${A',
      'plain $ text {',
      '${constructor}',
      '${__proto__:-x}',
    ]);
    if (text.includes('${file:')) return false;
    const { value, faults } = replaceReferences(
      { key: [text] },
      { environment: (name) => VALUES.get(name) ?? null, file: () => null },
      (path) => path,
    );
    const expected = replacedByHand(text, VALUES);
    assert.equal(faults.length === 0, expected !== null, text);
    if (expected === null) return false;
    assert.deepEqual(value, { key: [expected] });
    return true;
  },
};

const quantities: FuzzTarget = {
  name: 'sizes and durations',
  cost: 1,
  one(dice) {
    const text = mangled(dice, ['5MiB', '250ms', '1.5GiB', '400d', '0B', '999999999TiB', '10', '1.2345s']);
    const size = parseSize(text);
    const duration = parseDuration(text);
    assert.equal(size !== null, SIZE_PATTERN.test(text) && Number.isSafeInteger(size));
    assert.equal(duration !== null && !DURATION_PATTERN.test(text), false);
    for (const value of [size, duration]) assert.ok(value === null || (Number.isSafeInteger(value) && value >= 0));
    return size !== null || duration !== null;
  },
};

const places: FuzzTarget = {
  name: 'addresses, starts and times',
  cost: 6,
  one(dice) {
    const address = listen.safeParse(mangled(dice, ['127.0.0.1:8400', '[::1]:8400', 'audit.example:0', 'localhost:65535', ':80']));
    if (address.success) assert.ok(address.data.host !== '' && address.data.port >= 0 && address.data.port <= 65_535);
    const text = mangled(dice, ['beginning', 'now', '12', '2026-01-31', '2026-01-31T00:00:00Z', '2026-01-31T00:00+02:00', '2026-02-30']);
    const begin = start.safeParse(text);
    if (begin.success && begin.data.at === 'index') assert.equal(begin.data.index, Number(text));
    if (begin.success && begin.data.at === 'time') assert.ok(Number.isFinite(begin.data.timeMs));
    const until = time.safeParse(text);
    assert.ok(!until.success || (begin.success && begin.data.at === 'time' && begin.data.timeMs === until.data));
    return begin.success;
  },
};

/** What is read from the configuration. */
export const CONFIG_TARGETS: readonly FuzzTarget[] = [yaml, references, quantities, places];
