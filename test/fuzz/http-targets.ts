import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { addressGroup } from '../../src/api/addresses.ts';
import { createAttempts } from '../../src/api/attempts.ts';
import { reasonOf } from '../../src/api/audit.ts';
import { unpack } from '../../src/api/body.ts';
import { type Call, flag, onlyKnown, parseQuery, wholeNumber } from '../../src/api/call.ts';
import { createGuard, hostName, tokenOf } from '../../src/api/guard.ts';
import { type IngestParts, ingest } from '../../src/api/ingest.ts';
import { isServed } from '../../src/api/purposes.ts';
import { ROUTES, routeFinder } from '../../src/api/routes.ts';
import { alternativeNames } from '../../src/api/tls.ts';
import { isLoopback } from '../../src/config/keys.ts';
import { createNames } from '../../src/intake/names.ts';
import { ManualClock } from '../doubles/manual-ports.ts';
import { TEST_API_CONFIG, testToken } from '../doubles/open-test-api.ts';
import type { Dice } from './dice.ts';
import { type FuzzTarget, refusedLater, refusedWith } from './target.ts';
import { mangled } from './text.ts';

const clock = new ManualClock();
const HOSTS = ['audit.example'];
const guard = createGuard({ ...TEST_API_CONFIG, hosts: HOSTS, tokens: [testToken('ops', 'operator', 'right-token')] }, clock, {
  ...createAttempts(clock),
  admit: () => {},
});

const query: FuzzTarget = {
  name: 'query of a request',
  cost: 2,
  one(dice) {
    const text = mangled(dice, [
      'from=12&limit=5',
      'partial=true',
      'source=app&partial=false',
      'from=0012&x=%C3%A4',
      '',
      'limit=1+2',
      'from=12&from=13',
    ]);
    const taken = refusedWith(['REQUEST_INVALID'], () => {
      const parsed = parseQuery(text);
      onlyKnown(parsed, ['from', 'limit', 'partial', 'source']);
      return { from: wholeNumber(parsed, 'from', 7, 1_000), partial: flag(parsed, 'partial'), parsed };
    });
    if (taken === null) return false;
    assert.ok(Number.isInteger(taken.from) && taken.from >= 0 && taken.from <= 1_000);
    // A URL leaves out what no request line can hold.
    if (/[\s\0]/.test(text)) return true;
    const other = new URL(`http://x/?${text.replaceAll('#', '%23')}`).searchParams;
    assert.equal(taken.from, other.has('from') ? Number(other.get('from')) : 7);
    assert.equal(taken.partial, other.get('partial') === 'true');
    return true;
  },
};

const authorization: FuzzTarget = {
  name: 'Authorization',
  cost: 1,
  one(dice) {
    const text = mangled(dice, ['Bearer right-token', 'bearer  right-token ', 'Basic cmlnaHQ=', 'Bearer', 'Bearer right-token,x']);
    const [scheme = '', ...rest] = text.replace(/ +$/, '').split(/ +/);
    const [only = ''] = rest;
    const plain =
      rest.length === 1 && only !== '' && only.length <= 512 && Array.from(only).every((letter) => letter > ' ' && letter <= '~');
    const expected = scheme.toLowerCase() === 'bearer' && plain && !text.startsWith(' ') ? only : null;
    assert.equal(tokenOf(text), expected);
    const caller = refusedWith(['UNAUTHORIZED'], () => guard.authorize('read', text, { address: '10.0.0.1', certificate: null }));
    assert.equal(caller !== null, expected === 'right-token');
    return caller !== null;
  },
};

const hosts: FuzzTarget = {
  name: 'Host and Origin',
  cost: 3,
  one(dice) {
    const host = mangled(dice, [
      'localhost:8400',
      '127.0.0.1',
      '[::1]:8400',
      'audit.example',
      'audit.example:443',
      'evil.example',
      '127.0.0.1.evil.example',
    ]);
    const origin = mangled(dice, [`http://${host}`, `https://${host}`, 'null', 'http://evil.example', 'https://audit.example']);
    const secure = dice.once(2);
    const admitted = refusedWith(['HOST_UNKNOWN', 'ORIGIN_FOREIGN'], () => {
      guard.admit({ host, origin, changes: true, secure });
      return true;
    });
    if (admitted === null) return false;
    // What a browser would connect to for this host must be this machine or a configured name.
    const url = URL.canParse(`http://${host}/`) ? new URL(`http://${host}/`) : null;
    const name = url === null ? hostName(host) : url.hostname.replace(/^\[|\]$/g, '');
    assert.ok(isLoopback(name) || HOSTS.includes(name), name);
    // The page that sent it must come from there, and not over plain HTTP to a listener with TLS.
    assert.equal(origin.toLowerCase().replace(/^https?:\/\//, ''), host.toLowerCase());
    assert.ok(!secure || origin.toLowerCase().startsWith('https://'));
    return true;
  },
};

/** An ingest that ends where the body would be read. */
class BodyAsked extends Error {}

const NEVER = new AbortController().signal;
const NO_PARTS: Pick<IngestParts, 'sources' | 'limits' | 'clock' | 'intake'> = {
  clock,
  sources: ['app', 'legacy'],
  limits: TEST_API_CONFIG.limits,
  // Nothing of the intake is asked before the body is.
  intake: { names: createNames([]) } as unknown as IngestParts['intake'],
};

const ingestHead: FuzzTarget = {
  name: 'head of an ingest request',
  cost: 4,
  async one(dice) {
    // One part is changed at a time: more would hide each other.
    const part = dice.roll(4);
    const draw = (place: number, texts: readonly string[]) => (part === place ? mangled(dice, texts) : dice.pick(texts.slice(0, 2)));
    const type = draw(0, ['application/json', 'application/x-ndjson; charset=utf-8', 'application/json;charset="UTF-8"', 'text/plain']);
    const encoding = draw(1, ['gzip', 'zstd', 'identity', ' GZIP ', 'br', 'gzip, gzip']);
    const key = draw(2, ['key-1', 'x'.repeat(255), 'x'.repeat(256)]);
    const search = draw(3, ['source=app', 'source=app&partial=true', 'source=legacy', '']);
    const headers: Readonly<Record<string, string>> = { 'content-type': type, 'content-encoding': encoding, 'idempotency-key': key };
    const asked = await refusedLater(['CONTENT_TYPE_UNSUPPORTED', 'REQUEST_INVALID', 'SOURCE_UNKNOWN', 'FORBIDDEN'], async () => {
      const call: Call = {
        caller: { name: 'p', role: 'producer', sources: ['app'] },
        params: [],
        query: parseQuery(search),
        header: (name) => headers[name],
        body: () => Promise.reject(new BodyAsked()),
        hold: () => {},
        signal: NEVER,
        whenGone: () => NEVER,
      };
      try {
        await ingest(call, NO_PARTS as IngestParts);
      } catch (error) {
        if (error instanceof BodyAsked) return true;
        throw error;
      }
      return false;
    });
    if (asked === null) return false;
    assert.equal(asked, true);
    const [essence = '', ...more] = type
      .toLowerCase()
      .split(';')
      .map((part) => part.trim());
    assert.ok(essence === 'application/json' || essence === 'application/x-ndjson');
    assert.ok(more.length === 0 || (more.length === 1 && more[0]?.replaceAll('"', '') === 'charset=utf-8'));
    assert.ok(['gzip', 'zstd', 'identity'].includes(encoding.trim().toLowerCase()));
    assert.notEqual(new URLSearchParams(search).get('source'), 'legacy');
    return true;
  },
};

const findRoute = routeFinder(ROUTES);
const paths: FuzzTarget = {
  name: 'method and path',
  cost: 3,
  one(dice) {
    const path = mangled(dice, [
      '/v1/events',
      '/v1/destinations/archive/pause',
      '/v1/destinations/%61rchive',
      '/v1/status',
      '/metrics',
      '/livez',
      '/',
    ]);
    const method = dice.pick(['GET', 'POST', 'HEAD', 'DELETE', 'get', '']);
    const found = refusedWith(['PATH_UNKNOWN', 'METHOD_UNSUPPORTED'], () => findRoute(method, path));
    if (found === null) return false;
    const { route, params } = found;
    assert.equal(route.method, method === 'HEAD' ? 'GET' : method);
    // Whoever guards the path that was sent guards the route that was found.
    assert.equal(isServed(path, ['ingest']), isServed(route.path, ['ingest']));
    assert.equal(isServed(path, ['control']), isServed(route.path, ['control']));
    assert.equal(params.length, route.path.split('*').length - 1);
    return true;
  },
};

const addresses: FuzzTarget = {
  name: 'address of a sender',
  cost: 2,
  one(dice) {
    const text = mangled(dice, ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8:0:7::1', '::1', 'fe80::1%eth0', '1:2:3:4:5:6:7:8', '']);
    const group = addressGroup(text);
    assert.ok(group.length <= text.length + 16);
    if (!isIPv6(text) || text.includes('.') || text.includes('%')) return false;
    const full = (address: string) => new URL(`http://[${address}]/`).hostname;
    // Every address of the network has the same group, and the network is in it.
    assert.equal(full(group.replace('/64', '')), full(`${group.replace('::/64', '')}:0:0:0:0`));
    assert.equal(addressGroup(full(text).slice(1, -1)), group);
    return true;
  },
};

const reasons: FuzzTarget = {
  name: 'Waybill-Reason',
  cost: 1,
  one(dice) {
    const text = mangled(dice, ['ticket 4711', 'W%C3%A4rtung', '100 % sure', '%0a', 'x'.repeat(512), '%E2%82%AC', '%ED%A0%80']);
    const reason = refusedWith(['REQUEST_INVALID'], () => reasonOf(text));
    if (reason === null) return false;
    assert.ok(reason.length <= 512 && reason.isWellFormed());
    assert.ok(Array.from(reason).every((letter) => letter >= ' ' && (letter < '\u007f' || letter > '\u009f')));
    return true;
  },
};

const certificateNames: FuzzTarget = {
  name: 'alternative names of a certificate',
  cost: 1,
  one(dice) {
    const text = mangled(dice, [
      'DNS:a.example, URI:spiffe://acme/b',
      'DNS:"a\\u0022, DNS:evil.example"',
      'IP Address:10.0.0.1',
      'DNS:a.example',
    ]);
    const names = alternativeNames(text);
    assert.ok(names.length === 0 || names.join(', ') === text);
    assert.ok(!text.includes('"') || names.length === 0);
    return names.length > 0;
  },
};

const PLAIN = Buffer.from(`{"id":"a","pad":"${'x'.repeat(300)}"}`);
const PACKED = [
  { encoding: 'gzip', bytes: gzipSync(PLAIN) },
  { encoding: 'zstd', bytes: zstdCompressSync(PLAIN) },
] as const;

const packed: FuzzTarget = {
  name: 'gzip and zstd bodies',
  cost: 20,
  one(dice: Dice) {
    const { encoding, bytes } = dice.pick(PACKED);
    const sent = Buffer.from(bytes);
    const changed = !dice.once(3);
    if (changed) sent[dice.roll(sent.length)] = dice.roll(256);
    const length = dice.once(5) ? dice.roll(sent.length) : sent.length;
    const body = Buffer.concat([sent.subarray(0, length), Buffer.from('\n')]);
    const most = dice.pick([100, 400]);
    const out = refusedWith(['BODY_UNREADABLE', 'BODY_TOO_LARGE'], () => unpack(body, encoding, most));
    if (out === null) return false;
    assert.ok(out.length <= most);
    if (!changed && length === sent.length) assert.deepEqual(out, PLAIN);
    return true;
  },
};

/** What meets the network at the API, before and beside the events. */
export const HTTP_TARGETS: readonly FuzzTarget[] = [
  query,
  authorization,
  hosts,
  ingestHead,
  paths,
  addresses,
  reasons,
  certificateNames,
  packed,
];
