import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { settle } from '../../test/doubles/manual-ports.ts';
import { checkEd25519, sha256 } from '../../test/doubles/note-signer.ts';
import type { Got } from '../../test/doubles/open-test-api.ts';
import { openTestApi, testToken } from '../../test/doubles/open-test-api.ts';
import { provedBy } from '../../test/doubles/published-log.ts';
import { readBundle } from '../tlog/bundle.ts';
import { parseCheckpoint } from '../tlog/checkpoint.ts';
import { decodeHash, hashAt, leafHash } from '../tlog/hash.ts';
import { formatVerifierKey } from '../tlog/key.ts';
import { openNote, parseNote } from '../tlog/note.ts';
import { parsePolicy } from '../tlog/policy.ts';
import { checkInclusion } from '../tlog/proof.ts';

type TestApi = Awaited<ReturnType<typeof openTestApi>>;

const code = ({ json }: Got) => (json['error'] as { code?: string } | undefined)?.code;

async function filled(count: number, published: number, config: Parameters<typeof openTestApi>[0] = {}): Promise<TestApi> {
  const it = await openTestApi(config);
  for (let at = 0; at < count; at += 500) {
    const lines = Array.from({ length: Math.min(500, count - at) }, (_, k) =>
      JSON.stringify({ id: `e${at + k}`, text: 'ü'.repeat(k % 5) }),
    );
    await it.post(lines.join('\n'), { 'content-type': 'application/x-ndjson', authorization: 'Bearer give' });
  }
  await it.log.publish(published);
  return it;
}

describe('/tlog/', () => {
  test('checkpoint, hash tiles and bundles agree with one another', async (t) => {
    const it = await filled(600, 598);
    t.after(it.close);
    const note = await it.send('/tlog/checkpoint');
    assert.deepEqual([note.headers['content-type'], note.headers['cache-control']], ['text/plain; charset=utf-8', 'public, max-age=1']);
    const opened = parseNote(note.bytes);
    assert.equal(openNote(opened, [it.log.key], checkEd25519).length, 1);
    assert.equal(parseCheckpoint(opened.text).size, 598);
    for (const [n, width] of [
      [0, 256],
      [1, 256],
      [2, 86],
      [1, 7],
    ] as const) {
      const name = `00${n}${width === 256 ? '' : `.p/${width}`}`;
      const hashes = await it.send(`/tlog/tile/0/${name}`);
      const bundle = await it.send(`/tlog/tile/entries/${name}`);
      assert.deepEqual([hashes.status, bundle.status, hashes.bytes.length], [200, 200, 32 * width]);
      assert.equal(hashes.headers['content-type'], 'application/octet-stream');
      assert.equal(hashes.headers['content-length'], String(32 * width));
      assert.equal(hashes.headers['cache-control'], 'public, max-age=31536000, immutable');
      assert.equal(bundle.headers['cache-control'], 'private, max-age=31536000, immutable');
      const { starts, ends } = readBundle(bundle.bytes, width);
      for (let k = 0; k < width; k++) {
        assert.equal(bundle.bytes.subarray(starts[k], ends[k]).toString(), it.ledger.texts()[n * 256 + k]);
        assert.equal(leafHash(sha256, bundle.bytes, starts[k] ?? 0, ends[k] ?? 0), hashAt(hashes.bytes, 32 * k));
      }
    }
    assert.equal((await it.send('/tlog/tile/1/000.p/2')).bytes.length, 64);
  });

  test('says its name, its keys and where it begins', async (t) => {
    const it = await filled(3, 3);
    t.after(it.close);
    const vkey = formatVerifierKey(it.log.key);
    const keys = [{ vkey, from: 0, through: null }];
    const policy = `log ${vkey}\nquorum none\n`;
    assert.deepEqual((await it.send('/tlog/log.json')).json, { origin: it.ledger.origin, beginning: 0, keys, policy, checkpoints: [] });
    assert.equal(parsePolicy(sha256, policy).logs.length, 1);
  });

  test('nothing beyond the newest published head, and no other spelling of a tile', async (t) => {
    const it = await filled(600, 598);
    t.after(it.close);
    for (const path of [
      '0/002.p/87',
      '0/002',
      '0/003',
      'entries/002.p/87',
      'entries/002',
      '1/000.p/3',
      '1/000',
      '2/000.p/1',
      '0/2.p/1',
      '0/0002',
      '0/x000/002',
      '00/000',
      'entries',
      '0',
      '',
      '0/000.p/0',
      '0/000.p/256',
      '64/000',
      '0/000/',
      '-1/000',
      '0/000.p/1/2',
      'data/000',
    ])
      assert.deepEqual([path, (await it.send(`/tlog/tile/${path}`)).status], [path, 404]);
    assert.equal((await it.send('/tlog/tile/0/000?x=1')).status, 400);
    await it.log.publish(600);
    assert.equal((await it.send('/tlog/tile/0/002.p/88')).status, 200);
  });

  test('bundles are packed for who accepts it', async (t) => {
    const it = await filled(300, 300);
    t.after(it.close);
    const plain = await it.send('/tlog/tile/entries/000');
    for (const accepted of ['gzip', 'br, gzip;q=0.5', '*']) {
      const got = await it.send('/tlog/tile/entries/000', { headers: { 'accept-encoding': accepted } });
      assert.deepEqual([got.headers['content-encoding'], got.headers['vary']], ['gzip', 'accept-encoding']);
      assert.deepEqual(gunzipSync(got.bytes), plain.bytes);
    }
    for (const accepted of ['identity', 'gzip;q=0', 'br']) {
      const got = await it.send('/tlog/tile/entries/000', { headers: { 'accept-encoding': accepted } });
      assert.equal(got.headers['content-encoding'], undefined);
    }
    assert.equal((await it.send('/tlog/tile/0/000', { method: 'HEAD' })).headers['content-length'], '8192');
  });

  test('hashes and checkpoints are for everybody, entries for whoever may read', async (t) => {
    const it = await filled(3, 3, { tokens: [testToken('look', 'viewer', 'see'), testToken('send', 'producer', 'give')] });
    t.after(it.close);
    for (const path of ['/tlog/checkpoint', '/tlog/tile/0/000.p/3']) assert.equal((await it.send(path)).status, 200);
    const bundle = '/tlog/tile/entries/000.p/3';
    const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
    assert.equal((await it.send(bundle)).status, 401);
    assert.equal((await it.send(bundle, as('give'))).status, 403);
    assert.equal((await it.send(bundle, as('see'))).status, 200);
  });

  test('before the first head nothing is there, and says so', async (t) => {
    const it = await openTestApi();
    t.after(it.close);
    const none = await it.send('/tlog/checkpoint');
    assert.deepEqual([none.status, code(none)], [404, 'NOT_PUBLISHED']);
    assert.equal((await it.send('/tlog/tile/0/000.p/1')).status, 404);
  });
});

describe('GET /v1/entries/INDEX/proof', () => {
  test('proves each entry that the head covers, in both forms', async (t) => {
    const it = await filled(300, 299);
    t.after(it.close);
    const { size, root } = parseCheckpoint(parseNote((await it.send('/tlog/checkpoint')).bytes).text);
    for (const index of [0, 1, 255, 256, 298]) {
      const got = await it.send(`/v1/entries/${index}/proof`);
      assert.equal(got.headers['content-disposition'], `attachment; filename="${index}.tlog-proof"`);
      const entry = Buffer.from(it.ledger.texts()[index] ?? '');
      assert.deepEqual(provedBy(got.text, entry, [it.log.key]), { index, size: 299 });
      const { json } = await it.send(`/v1/entries/${index}/proof`, { headers: { accept: 'application/json' } });
      const proof = (json['proof'] as string[]).map((line) => decodeHash(line) ?? '');
      assert.ok(checkInclusion(sha256, { size, index, leaf: leafHash(sha256, entry, 0, entry.length), proof, root }));
    }
  });

  test('what is not there, not published yet, or no index, says so', async (t) => {
    const it = await filled(3, 2);
    t.after(it.close);
    assert.equal(code(await it.send('/v1/entries/2/proof')), 'NOT_PUBLISHED');
    assert.equal(code(await it.send('/v1/entries/3/proof')), 'ENTRY_UNKNOWN');
    for (const index of ['x', '-1', '1e3', '9007199254740993', '%2e'])
      assert.equal(code(await it.send(`/v1/entries/${index}/proof`)), 'REQUEST_INVALID', index);
  });

  test('wait=true waits for the head, and not for ever', async (t) => {
    const it = await filled(3, 2);
    t.after(it.close);
    const waiting = it.send('/v1/entries/2/proof?wait=true');
    const before = it.ports.clock.sleeping();
    while (it.ports.clock.sleeping() === before) await settle();
    await it.log.publish(3);
    assert.equal((await waiting).status, 200);
    await it.post('{"id":"late"}');
    const late = it.send('/v1/entries/3/proof?wait=true');
    while (it.ports.clock.sleeping() === before) await settle();
    await it.ports.clock.pass(10_000);
    assert.equal(code(await late), 'NOT_PUBLISHED');
    assert.equal(it.ports.clock.sleeping(), before, 'nothing waits any more');
  });
});

describe('?proof=true', () => {
  const events = '[{"id":"a"},{"id":"b"}]';

  test('answers with the proofs once a head covers the events, duplicates included', async (t) => {
    const it = await filled(1, 1);
    t.after(it.close);
    const before = it.ports.clock.sleeping();
    const waiting = it.post('[{"id":"a"},{"id":"b"},{"id":"e0","text":""}]', {}, '/v1/events?proof=true');
    while (it.ports.clock.sleeping() === before) await settle();
    await it.log.publish(3);
    const { status, json } = await waiting;
    const proofs = json['proofs'] as { published: true; size: number; checkpoint: string; entries: { index: number; proof: string[] }[] };
    assert.deepEqual([status, json['accepted'], proofs.published, proofs.size], [200, 2, true, 3]);
    assert.deepEqual(
      proofs.entries.map(({ index }) => index),
      [0, 1, 2],
    );
    const { size, root } = parseCheckpoint(parseNote(Buffer.from(proofs.checkpoint)).text);
    for (const { index, proof } of proofs.entries) {
      const entry = Buffer.from(it.ledger.texts()[index] ?? '');
      const hashes = proof.map((line) => decodeHash(line) ?? '');
      assert.ok(checkInclusion(sha256, { size, index, leaf: leafHash(sha256, entry, 0, entry.length), proof: hashes, root }));
    }
  });

  test('says honestly that nothing is published yet, and where the proofs will be', async (t) => {
    const it = await filled(1, 1);
    t.after(it.close);
    const before = it.ports.clock.sleeping();
    const waiting = it.post(events, {}, '/v1/events?proof=true');
    while (it.ports.clock.sleeping() === before) await settle();
    await it.ports.clock.pass(10_000);
    const { status, json } = await waiting;
    assert.deepEqual([status, json['accepted']], [200, 2]);
    assert.deepEqual(json['proofs'], {
      published: false,
      reason: 'no head that covers them was published within 10 s',
      fetch: ['/v1/entries/1/proof', '/v1/entries/2/proof'],
    });
  });

  test('what cannot be proved is accepted all the same', async (t) => {
    const it = await openTestApi({}, { tree: { tile: async () => null, inclusion: () => Promise.reject(new TypeError('broken')) } });
    t.after(it.close);
    await it.log.publish(0);
    const before = it.ports.clock.sleeping();
    const waiting = it.post(events, {}, '/v1/events?proof=true');
    while (it.ports.clock.sleeping() === before) await settle();
    await it.log.publish(2);
    const { status, json } = await waiting;
    assert.deepEqual([status, (json['proofs'] as { reason: string }).reason], [200, 'the proofs could not be made']);
  });

  test('is refused before anything is accepted when it asks for too many', async (t) => {
    const it = await openTestApi();
    t.after(it.close);
    const many = JSON.stringify(Array.from({ length: 101 }, (_, k) => ({ id: `${k}` })));
    assert.equal(code(await it.post(many, {}, '/v1/events?proof=true')), 'REQUEST_INVALID');
    assert.equal(it.ledger.assigned(), 0);
  });
});
