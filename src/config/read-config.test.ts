import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { z } from 'zod';
import { isWaybillError } from '../contracts/errors.ts';
import type { SinkDefinition } from '../contracts/sink.ts';
import type { SourceDefinition } from '../contracts/source.ts';
import { PURPOSES } from './api-schema.ts';
import { faultText } from './faults.ts';
import type { Adapters } from './json-schema.ts';
import { parseConfig, readConfig } from './read-config.ts';

interface PostSettings {
  readonly url: string;
  readonly secret?: string | undefined;
}

const post: SinkDefinition<PostSettings> = {
  type: 'post',
  title: 'Post',
  summary: 'Sends.',
  config: z.strictObject({ url: z.url(), secret: z.string().meta({ secret: true }).optional() }),
  traits: () => ({
    ack: 'received',
    dedupe: 'none',
    batch: { entries: 500, bytes: 1_000_000, waitMs: 0 },
    inFlightMax: 1,
    carriesEmpty: true,
  }),
  target: ({ url }) => url,
  open: () => Promise.reject(new Error('not opened here')),
};

const lines: SinkDefinition<{ readonly path: string }> = {
  type: 'lines',
  title: 'Lines',
  summary: 'Writes.',
  config: z.strictObject({ path: z.string().min(1).meta({ path: true }) }),
  traits: () => ({
    ack: 'durable',
    dedupe: 'position',
    batch: { entries: 900, bytes: 2_000_000, waitMs: 5 },
    inFlightMax: 4,
    carriesEmpty: false,
  }),
  target: ({ path }) => path,
  open: () => Promise.reject(new Error('not opened here')),
};

const push: SourceDefinition = {
  type: 'push',
  title: 'Push',
  summary: 'Takes.',
  config: z.strictObject({}),
  traits: { delivery: 'pushed', recountable: false },
};

const adapters: Adapters = { sinks: { post, lines }, sources: { push }, codecs: { native: {} } };

const GOOD = `ledger:
  origin: acme.example/audit
  path: ./data
  limit: 2GiB
  retain: { age: 400d, bytes: 1GiB }
api:
  listen: 127.0.0.1:0
  tokens:
    - { name: billing, role: producer, sources: [app], token: "\${TOKEN}" }
sources:
  app: { type: push, schema: json, id_field: id, gap_after: 5s }
destinations:
  hook:
    type: post
    url: https://hook.example/in
    secret: literal-secret-value
    start: now
    batch: { entries: "\${ENTRIES:-7}", wait: 250ms }
  local: { type: lines, path: out/audit.ndjson, start: 12, in_flight: 4, on_reject: quarantine, max_lag: 7d }
`;

function read(text: string, environment: Readonly<Record<string, string>> = { TOKEN: 'a-token-that-is-long-enough' }) {
  return readConfig(
    text,
    '/etc/acme/waybill.yaml',
    {
      environment: (name) => environment[name] ?? null,
      file: (path) => (path === '/etc/acme/secrets/one' ? 'from-the-file-of-secrets\n' : null),
    },
    adapters,
  );
}

/** What is wrong with a text, a line per fault. */
function said(text: string): string {
  const reading = read(text);
  return reading.ok ? '' : reading.faults.map(faultText).join('\n');
}

/** What is wrong with `GOOD` after one change, a line per fault. */
function faultsAfter(find: string, replace: string): string[] {
  assert.equal(GOOD.split(find).length, 2, `${find} stands once in the example`);
  const reading = read(GOOD.replace(find, () => replace));
  return reading.ok ? [] : reading.faults.map(faultText);
}

const WITNESS = `{ name: w, vkey: "w.example+0a1b2c3d+${'A'.repeat(44)}", url: http://127.0.0.1:1 }`;

describe('a configuration', () => {
  test('that is right has every value, default, unit and path filled in', () => {
    const reading = read(GOOD);
    assert.ok(reading.ok, reading.ok ? '' : reading.faults.map(faultText).join('\n'));
    const { shown: _, digests: __, ...config } = reading.config;
    assert.deepEqual(config, {
      file: '/etc/acme/waybill.yaml',
      ledger: {
        origin: 'acme.example/audit',
        path: '/etc/acme/data',
        keys: { from: 'directory', path: '/etc/acme/keys' },
        publishMs: 250,
        witnesses: [],
        witnessQuorum: 0,
        limitBytes: 2_147_483_648,
        segmentBytes: 67_108_864,
        reservedBytes: 4_194_304,
        retain: { ageMs: 34_560_000_000, bytes: 1_073_741_824 },
      },
      api: {
        listeners: [{ listen: { host: '127.0.0.1', port: 0 }, serve: PURPOSES, tls: null, cleartext: false }],
        hosts: [],
        tokens: [
          {
            name: 'billing',
            role: 'producer',
            sources: ['app'],
            rate: null,
            expiresMs: null,
            proof: { by: 'token', sha256: hash('sha256', 'a-token-that-is-long-enough') },
          },
        ],
        limits: { bodyBytes: 16_777_216, events: 10_000, connections: 1_000, requestMs: 30_000, reads: 1_000, streams: 100 },
        client: { url: null, tokenFile: null, ca: null, cert: null, key: null, token: null },
      },
      sources: [
        {
          name: 'app',
          type: 'push',
          schema: 'json',
          idField: 'id',
          onInvalid: 'refuse',
          gapAfterMs: 5_000,
          rate: null,
          renamedFrom: null,
          settings: {},
        },
      ],
      destinations: [
        {
          name: 'hook',
          type: 'post',
          start: { at: 'now' },
          format: 'native',
          batch: { entries: 7, bytes: 1_000_000, waitMs: 250 },
          inFlight: 1,
          onReject: 'halt',
          quarantineMax: 100,
          timeoutMs: 30_000,
          retry: { minMs: 100, maxMs: 30_000 },
          control: 'all',
          targetChanged: null,
          renamedFrom: null,
          maxLag: null,
          settings: { url: 'https://hook.example/in', secret: 'literal-secret-value' },
        },
        {
          name: 'local',
          type: 'lines',
          start: { at: 'index', index: 12 },
          format: 'native',
          batch: { entries: 900, bytes: 2_000_000, waitMs: 5 },
          inFlight: 4,
          onReject: 'quarantine',
          quarantineMax: 100,
          timeoutMs: 30_000,
          retry: { minMs: 100, maxMs: 30_000 },
          control: 'all',
          targetChanged: null,
          renamedFrom: null,
          maxLag: { by: 'age', ms: 604_800_000 },
          settings: { path: '/etc/acme/out/audit.ndjson' },
        },
      ],
      tracesEndpoint: null,
      drainMs: 10_000,
      logLevel: 'info',
    });
  });

  test('shows references, and neither literal secrets nor credentials in URLs', () => {
    const reading = read(GOOD.replace('https://hook.example/in', 'https://user:pass@hook.example/in'));
    assert.ok(reading.ok);
    const shown = JSON.stringify(reading.config.shown);
    assert.match(shown, /\(hidden\)@hook\.example/);
    assert.doesNotMatch(shown, /literal-secret-value|a-token-that-is-long-enough|user:pass/);
  });

  const START: readonly (readonly [string, unknown])[] = [
    ['beginning', { at: 'beginning' }],
    ['now', { at: 'now' }],
    ['"3"', { at: 'index', index: 3 }],
    ['2026-01-31T00:00:00Z', { at: 'time', timeMs: Date.UTC(2026, 0, 31) }],
    ['2026-01-31', { at: 'time', timeMs: Date.UTC(2026, 0, 31) }],
  ];
  for (const [text, start] of START) {
    test(`takes start: ${text}`, () => {
      const reading = read(GOOD.replace('start: 12', `start: ${text}`));
      assert.ok(reading.ok);
      assert.deepEqual(reading.config.destinations[1]?.start, start);
    });
  }

  const WRONG: readonly (readonly [string, string, string | RegExp])[] = [
    ['limit: 2GiB', 'limits: 2GiB', '/etc/acme/waybill.yaml:4:3 ledger.limits: unknown key; did you mean limit?'],
    ['limit: 2GiB', 'limit: 2GB', '/etc/acme/waybill.yaml:4:10 ledger.limit: expected a size such as 5MiB'],
    ['limit: 2GiB', 'limit: 2048', '/etc/acme/waybill.yaml:4:10 ledger.limit: expected a size such as 5MiB'],
    ['limit: 2GiB', 'limit: 1KiB', /ledger\.limit: too small/],
    ['limit: 2GiB', 'limit: 16MiB\n  reserve: 5MiB', /ledger\.limit: too small: ledger\.reserve and 12 MiB beside it/],
    ['bytes: 1GiB', 'bytes: 128MiB', /ledger\.retain\.bytes: too small: .* at least 4 segments of 64 MiB/],
    ['bytes: 1GiB', 'bytes: 2GiB', /ledger\.retain\.bytes: too large: senders would be refused before anything is removed; at most/],
    ['age: 400d', 'age: 1s', /ledger\.retain\.age: too small/],
    ['  retain: { age: 400d, bytes: 1GiB }\n', '', /destinations\.local\.max_lag: has no effect: without ledger\.retain/],
    ['max_lag: 7d', 'max_lag: much', /max_lag: expected a duration such as 7d, or a size such as 50GiB/],
    ['max_lag: 7d', 'max_lag: 1KiB', /max_lag: too small: at least 1m or 1MiB/],
    ['limit: 2GiB', 'limit: 2GiB\n  keys: ./data/keys', /ledger\.keys: \/etc\/acme\/data\/keys is inside ledger\.path/],
    ['limit: 2GiB', 'limit: 2GiB\n  witness_quorum: 1', /ledger\.witness_quorum: more than there are witnesses: 0/],
    ['limit: 2GiB', `limit: 2GiB\n  witnesses: [${WITNESS}, ${WITNESS}]`, /ledger\.witnesses\.1: w is there already/],
    [
      'limit: 2GiB',
      `limit: 2GiB\n  witnesses: [${WITNESS.replace('name: w', 'name: none')}]`,
      /witnesses\.0\.name: none has a meaning of its own/,
    ],
    ['limit: 2GiB', `limit: 2GiB\n  witnesses: [${WITNESS.replace('+0a', '-0a')}]`, /vkey: expected a verifier key/],
    ['limit: 2GiB', 'limit: 2GiB\n  keys: { log: x }', /ledger\.keys: expected a directory, or the keys `log` and `freshness`/],
    ['  origin: acme.example/audit\n', '', /:2:3 ledger\.origin: missing|:1:1 ledger\.origin: missing/],
    ['acme.example/audit', 'https://acme.example/audit', /ledger\.origin: expected a URL without a scheme/],
    [
      'type: post',
      'type: posd',
      '/etc/acme/waybill.yaml:14:11 destinations.hook.type: no such destination; there is post, lines; did you mean post?',
    ],
    ['    type: post\n', '', /destinations\.hook\.type: missing; there is post, lines/],
    ['secret: literal', 'secrets: literal', '/etc/acme/waybill.yaml:16:5 destinations.hook.secrets: unknown key; did you mean secret?'],
    ['wait: 250ms', 'wiat: 250ms', /:18:40 destinations\.hook\.batch\.wiat: unknown key; did you mean wait\?/],
    ['start: now', 'start: soon', /destinations\.hook\.start: expected beginning, now, an index, or a time/],
    ['    start: now\n', '', /destinations\.hook\.start: missing/],
    ['on_reject: quarantine', 'on_reject: quarantene', /on_reject: expected halt, quarantine; did you mean quarantine\?/],
    ['url: https://hook.example/in', 'url: nowhere', /destinations\.hook\.url: invalid URL/],
    ['in_flight: 4', 'in_flight: 5', /destinations\.local\.in_flight: a lines destination keeps the order only with at most 4 in flight/],
    ['  local:', '  waybill:', /destinations\.waybill: the name waybill is reserved/],
    ['  local:', '  Local:', /destinations\.Local: a name has lower-case letters/],
    ['out/audit.ndjson', 'data/out.ndjson', /destinations\.local: \/etc\/acme\/data\/out\.ndjson is inside ledger\.path/],
    ['sources: [app]', 'sources: [apps]', /api\.tokens\.0\.sources\.0: there is no source apps; did you mean app\?/],
    ['role: producer', 'role: producr', /api\.tokens\.0\.role: expected producer, viewer, auditor, operator; did you mean producer\?/],
    ['role: producer', 'role: viewer', /api\.tokens\.0\.sources: only a token with the role producer/],
    ['"${TOKEN}"', '"${TOKAN}"', '/etc/acme/waybill.yaml:9:63 api.tokens.0.token: the environment variable TOKAN is not set'],
    ['"${TOKEN}"', '"${file:gone}"', /api\.tokens\.0\.token: cannot read the file \/etc\/acme\/gone/],
    ['"${TOKEN}"', '"${TOKEN"', /api\.tokens\.0\.token: a reference is not closed/],
    ['"${TOKEN}"', 'short', /api\.tokens\.0\.token: expected at least 16 characters/],
    ['schema: json', 'schema: waybill/1', /sources\.app\.id_field: schema waybill\/1 has its identity in `id`/],
    ['127.0.0.1:0', '127.0.0.1', /api\.listen: expected host:port/],
    ['127.0.0.1:0', '127.0.0.1:70000', /api\.listen: the port is above 65535/],
    ['sources:\n  app: {', 'sources:\n  app: [', /:\d+:\d+ /],
  ];
  for (const [find, replace, expected] of WRONG) {
    test(`with ${replace.trim() === '' ? `no ${find.trim()}` : replace.trim()} says where and what`, () => {
      const faults = faultsAfter(find, replace);
      if (typeof expected === 'string') assert.deepEqual(faults, [expected]);
      else assert.match(faults.join('\n'), expected);
    });
  }

  test('with several mistakes lists all of them in the order of the file', () => {
    const reading = read(
      GOOD.replace('limit: 2GiB', 'limit: lots').replace('start: now', 'start: soon').replace('type: push', 'type: pull'),
    );
    assert.ok(!reading.ok);
    assert.deepEqual(
      reading.faults.map(({ path }) => path),
      ['ledger.limit', 'sources.app.type', 'destinations.hook.start'],
    );
  });

  test('that listens beyond loopback needs a token', () => {
    const open = GOOD.replace('127.0.0.1:0', '0.0.0.0:8400').replace(/ {2}tokens:\n.*\n/, '');
    const reading = read(open);
    assert.ok(!reading.ok);
    assert.match(reading.faults.map(faultText).join('\n'), /api\.listen: listening on 0\.0\.0\.0 needs at least one token/);
    const far = GOOD.replace('127.0.0.1:0', '0.0.0.0:8400');
    assert.match(said(far), /api\.listen: tokens would be readable on the network at 0\.0\.0\.0; add tls, or set cleartext: true/);
    assert.equal(said(far.replace('  tokens:', '  cleartext: true\n  tokens:')), '');
    assert.equal(said(far.replace('  tokens:', '  tls: { cert: a.pem, key: b.pem }\n  tokens:')), '');
  });

  test('with two destinations that write conditionally to one place is refused', () => {
    const reading = read(`${GOOD}  again: { type: lines, path: ./out/audit.ndjson, start: now }\n`);
    assert.ok(!reading.ok);
    assert.match(reading.faults.map(faultText).join('\n'), /destinations\.again: writes to the same place as local/);
  });

  test('takes secrets from files beside it, without the line break at their end', () => {
    const reading = read(GOOD.replace('"${TOKEN}"', '"${file:secrets/one}"'));
    assert.ok(reading.ok);
    assert.deepEqual(reading.config.api.tokens[0]?.proof, { by: 'token', sha256: hash('sha256', 'from-the-file-of-secrets') });
  });

  test('never lets a reference become anything but text', () => {
    const reading = read(GOOD, { TOKEN: 'x,role:operator,more:{}' });
    assert.ok(reading.ok);
    assert.deepEqual(reading.config.api.tokens[0]?.proof, { by: 'token', sha256: hash('sha256', 'x,role:operator,more:{}') });
    assert.equal(reading.config.api.tokens[0]?.role, 'producer');
  });

  for (const text of [
    '',
    '# nothing\n',
    '[]',
    'text',
    'a: 1\n---\nb: 2\n',
    'a: &x [*x]\n',
    '{',
    'ledger: 1\nledger: 2\n',
    '? [a]\n: b\n',
  ]) {
    test(`of ${JSON.stringify(text)} is refused with a place`, () => {
      const reading = read(text);
      assert.ok(!reading.ok);
      assert.ok(reading.faults.length > 0);
      for (const fault of reading.faults) assert.ok(fault.line >= 1 && fault.column >= 1 && fault.message !== '');
    });
  }

  test('that is wrong makes one error that lists every fault and no secret', () => {
    const wrong = GOOD.replace('secret: literal-secret-value', 'secret: [literal-secret-value]').replace('limit: 2GiB', 'limit: x');
    assert.throws(
      () => parseConfig(wrong, '/etc/acme/waybill.yaml', { environment: () => 'short', file: () => null }, adapters),
      (error) =>
        isWaybillError(error) &&
        error.code === 'CONFIG_INVALID' &&
        error.message.split('\n').length >= 3 &&
        !error.message.includes('literal-secret') &&
        !error.message.includes('short'),
    );
  });

  test('shows neither the credentials nor the query of a URL, also in the default of a reference', () => {
    for (const url of ['https://u:hush@hook.example/in?key=hush', '"${URL:-https://u:hush@hook.example/in?key=hush&b=hush}"']) {
      const reading = read(GOOD.replace('https://hook.example/in', () => url));
      assert.ok(reading.ok);
      const shown = JSON.stringify(reading.config.shown);
      assert.doesNotMatch(shown, /hush/);
      assert.match(shown, /https:\/\/\(hidden\)@hook\.example\/in\?\(hidden\)/);
    }
  });

  test('that was damaged anywhere is read or refused, and no secret comes out either way', () => {
    const damage = fc.tuple(
      fc.nat(GOOD.length),
      fc.nat(8),
      fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('\n', ': ', '{', '[', '&a ', '*a', '${')),
    );
    fc.assert(
      fc.property(damage, ([at, cut, insert]) => {
        const reading = read(GOOD.slice(0, at) + insert + GOOD.slice(at + cut));
        const said = reading.ok ? JSON.stringify(reading.config.shown) : reading.faults.map(faultText).join('\n');
        // What damage made of a secret is no longer that secret; the one from the environment is never cut.
        assert.ok(!said.includes('a-token-that-is-long-enough'), said);
        if (!reading.ok) assert.ok(reading.faults.length > 0);
      }),
      { numRuns: 300 },
    );
  });
});
