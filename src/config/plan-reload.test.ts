import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { native } from '../codecs/native.ts';
import type { SourceDefinition } from '../contracts/source.ts';
import { file } from '../sinks/file.ts';
import { http } from '../sinks/http.ts';
import { http as pushed } from '../sources/http.ts';
import type { Config } from './config.ts';
import { faultText } from './faults.ts';
import { isIdle, type PartChanges, planReload, type ReloadPlan } from './plan-reload.ts';
import { readConfig } from './read-config.ts';

const pulled: SourceDefinition = {
  type: 'pulled',
  title: 'Pulled',
  summary: 'Is read.',
  config: z.strictObject({ from: z.string() }),
  traits: { delivery: 'resumable', recountable: false },
};

const adapters = { sinks: { file, http }, sources: { http: pushed, pulled }, codecs: { native } };

const FILE = `ledger:
  origin: acme.example/audit
  path: ./data
  limit: 2GiB
api:
  listen: 127.0.0.1:8400
  tokens:
    - { name: ops, role: operator, token: "\${OPS}" }
sources:
  app: { type: http, schema: json, id_field: id }
  table: { type: pulled, from: here }
destinations:
  local: { type: file, path: out/audit.ndjson, start: beginning }
  lake: { type: http, url: "http://127.0.0.1:9/in", start: now, timeout: 5s }
drain: 10s
`;

const ENVIRONMENT = { OPS: 'a-token-that-is-long-enough', OTHER: 'another-token-that-is-long-enough' };

function read(text: string, environment: Readonly<Record<string, string>> = ENVIRONMENT): Config {
  const readers = { environment: (name: string) => environment[name] ?? null, file: () => null };
  const reading = readConfig(text, '/etc/acme/waybill.yaml', readers, adapters);
  assert.ok(reading.ok, reading.ok ? '' : reading.faults.map(faultText).join('\n'));
  return reading.config;
}

function plan(next: string, environment: Readonly<Record<string, string>> = ENVIRONMENT): ReloadPlan {
  return planReload(read(FILE), read(next, environment), (type) => type === 'http');
}

/** The file after one change. */
function after(find: string, replace: string): string {
  assert.equal(FILE.split(find).length, 2, `${find} stands once in the example`);
  return FILE.replace(find, () => replace);
}

/** What is not kept, so that a row of the table says only what happens. */
function moved({ changed, restarted, started, stopped }: PartChanges): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(Object.entries({ changed, restarted, started, stopped }).filter(([, names]) => names.length > 0));
}

const ROWS: readonly (readonly [what: string, next: string, expected: Readonly<Record<string, unknown>>])[] = [
  ['nothing', FILE, { changed: [] }],
  [
    'a comment and the order of keys',
    after('  limit: 2GiB\n', '').replace('origin: acme', 'limit: 2GiB # more\n  origin: acme'),
    { changed: [] },
  ],
  ['the limit of the ledger', after('2GiB', '3GiB'), { changed: ['ledger.limit'] }],
  [
    'another name of a source that is pulled',
    after('  table: { type: pulled, from: here }', '  desk: { type: pulled, from: here, renamed_from: table }'),
    {
      changed: ['sources.desk.from', 'sources.desk.renamed_from', 'sources.desk.type', 'sources.table.from', 'sources.table.type'],
      sources: { started: ['desk'], stopped: ['table'] },
    },
  ],
  [
    'the name that a source had, where it has the new one already',
    after('from: here }', 'from: here, renamed_from: desk }'),
    { changed: ['sources.table.renamed_from'], sources: { changed: ['table'] } },
  ],
  ['a destination', after('timeout: 5s', 'timeout: 6s'), { changed: ['destinations.lake.timeout'], destinations: { restarted: ['lake'] } }],
  [
    'where a destination began',
    after('start: now', 'start: beginning'),
    { changed: ['destinations.lake.start'], destinations: { changed: ['lake'] } },
  ],
  [
    'the type of a destination',
    after('type: http, url: "http://127.0.0.1:9/in", start: now, timeout: 5s', 'type: file, path: out/lake.ndjson, start: now'),
    {
      changed: ['destinations.lake.path', 'destinations.lake.timeout', 'destinations.lake.type', 'destinations.lake.url'],
      destinations: { restarted: ['lake'] },
    },
  ],
  [
    'a destination under another name',
    after('  local:', '  archive:'),
    {
      changed: ['archive', 'local'].flatMap((name) => ['path', 'start', 'type'].map((key) => `destinations.${name}.${key}`)),
      destinations: { started: ['archive'], stopped: ['local'] },
    },
  ],
  [
    'the rules of a pushed source',
    after('id_field: id', 'id_field: key'),
    { changed: ['sources.app.id_field'], sources: { changed: ['app'] } },
  ],
  [
    'the rate of a pushed source',
    after('id_field: id', 'id_field: id, rate: 5'),
    { changed: ['sources.app.rate'], sources: { changed: ['app'] } },
  ],
  ['a pulled source', after('from: here', 'from: there'), { changed: ['sources.table.from'], sources: { restarted: ['table'] } }],
  [
    'the rules of a pulled source',
    after('from: here', 'from: here, on_invalid: keep'),
    { changed: ['sources.table.on_invalid'], sources: { restarted: ['table'] } },
  ],
  [
    'a source of another type',
    after('type: pulled, from: here', 'type: http'),
    { changed: ['sources.table.from', 'sources.table.type'], sources: { restarted: ['table'] } },
  ],
  [
    'a source that goes',
    after('  table: { type: pulled, from: here }\n', ''),
    { changed: ['sources.table.from', 'sources.table.type'], sources: { stopped: ['table'] } },
  ],
  [
    'an address',
    after(':8400', ':8401'),
    { changed: ['api.listen'], listeners: { started: ['127.0.0.1:8401'], stopped: ['127.0.0.1:8400'] } },
  ],
  ['a role', after('role: operator', 'role: viewer'), { changed: ['api.tokens.0.role'] }],
  ['how long a stop waits', after('drain: 10s', 'drain: 20s'), { changed: ['drain'] }],
];

describe('the plan of a reload', () => {
  for (const [what, next, expected] of ROWS) {
    test(`when there is another value for ${what}`, () => {
      const { refused, changed, sources, destinations, listeners } = plan(next);
      const found = { refused, changed, sources: moved(sources), destinations: moved(destinations), listeners: moved(listeners) };
      assert.deepEqual(found, { refused: [], sources: {}, destinations: {}, listeners: {}, ...expected });
    });
  }

  test('sees a secret that changed, and never says which it is', () => {
    const found = plan(FILE, { OPS: 'rotated-token-that-is-long-enough' });
    assert.deepEqual(found.changed, ['api.tokens.0.token']);
    assert.doesNotMatch(JSON.stringify(found), /rotated/);
    assert.equal(isIdle(found), false);
    assert.equal(isIdle(plan(FILE)), true);
  });

  test('refuses what the files of the ledger are made of, with the way on', () => {
    const next = after(
      'origin: acme.example/audit\n  path: ./data',
      'origin: acme.example/other\n  path: ./elsewhere\n  segment: 32MiB\n  reserve: 1MiB\n  keys: ./other',
    );
    const { refused } = plan(next);
    assert.deepEqual(
      refused.map((line) => line.split(' ')[0]),
      ['ledger.origin', 'ledger.path', 'ledger.segment', 'ledger.reserve', 'ledger.keys'],
    );
    for (const line of refused) assert.match(line, /another origin needs another ledger|stop the process|restart the process/);
    assert.equal(isIdle(plan(next)), false);
  });

  test('refuses another way of listening at the same address, and where traces go, with the way on', () => {
    const tls = "listeners: [{ listen: '127.0.0.1:8400', serve: [ingest], tls: { cert: a.pem, key: b.pem } }]";
    const mode = plan(after('listen: 127.0.0.1:8400', tls)).refused;
    assert.deepEqual(mode, [
      '127.0.0.1:8400 cannot go from plain HTTP to TLS while it is listened on: restart the process, or take another port',
    ]);
    assert.deepEqual(plan(after('listen: 127.0.0.1:8400', tls.replace('8400', '8401'))).refused, []);
    const traces = plan(`${FILE}telemetry: { traces: { endpoint: 'http://127.0.0.1:4318/v1/traces' } }\n`).refused;
    assert.deepEqual(traces, ['telemetry.traces.endpoint is read at a start: restart the process to change it']);
  });
});
