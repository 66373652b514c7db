import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { parseNote } from '../../src/tlog/note.ts';
import { initWaybill, MAIN, startWaybill, until, type WaybillProcess } from '../crash/process.ts';
import { startProducer } from '../crash/producer.ts';
import { buildGoVerifier } from './go-tool.ts';

const ENTRIES = 6_000;
const go = buildGoVerifier();
const root = mkdtempSync(join(tmpdir(), 'waybill-go-server-'));
const whole = `${root}/mirror`;
const kept = `${root}/kept`;
let server: WaybillProcess;
let verifierKey = '';
let size = 0;

/** The command, beside this process, so that the server's answers are taken meanwhile. */
async function waybill(...words: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

async function get(path: string): Promise<Buffer> {
  const answer = await fetch(`${server.url}/tlog/${path}`);
  assert.equal(answer.status, 200, path);
  return Buffer.from(await answer.arrayBuffer());
}

function headSize(note: Buffer): number {
  return parseCheckpoint(parseNote(note).text).size;
}

before(async () => {
  const port = await freePort();
  const file = initWaybill(
    root,
    `ledger: { origin: acme.example/audit, path: ./data, segment: 1MiB }
api: { listen: 127.0.0.1:${port} }
sources: { app: { type: http, schema: json, id_field: id } }
destinations: { out: { type: file, path: ./out.ndjson, start: beginning } }
`,
  );
  verifierKey = readFileSync(`${root}/keys/log.vkey`, 'utf8').trim();
  server = await startWaybill(file, port);
  const producer = startProducer(server.url, 4, 50);
  await until('a head over entries', async () => headSize(await get('checkpoint')) > 500);
  writeFileSync(kept, await get('checkpoint'));
  await until('the load', () => producer.acknowledged.length >= ENTRIES);
  await producer.finish();
  await until('a head over all', async () => headSize(await get('checkpoint')) >= producer.acknowledged.length);
  const first = await waybill('export', whole, '-c', file);
  assert.equal(first.code, 0, first.output);
  const more = startProducer(server.url, 2, 50, '', 'more');
  await until('more', () => more.acknowledged.length >= 1_000);
  await more.finish();
  const total = producer.acknowledged.length + more.acknowledged.length;
  await until('a head over that', async () => headSize(await get('checkpoint')) >= total);
  // What is there already is gone on with.
  const second = await waybill('export', whole, '-c', file);
  assert.equal(second.code, 0, second.output);
  size = headSize(readFileSync(`${whole}/checkpoint`));
  assert.ok(size >= total);
});
after(async () => {
  await server.end('SIGKILL');
  go.remove();
  rmSync(root, { recursive: true });
});

describe('what the real server wrote under load', () => {
  test('is verified by the Go team’s packages over HTTP, an earlier head with it', () => {
    const { ok, output } = go.run('-head', kept, verifierKey, `${server.url}/tlog`);
    assert.ok(ok, output);
    assert.ok(size >= ENTRIES);
    assert.equal(output, `ok: ${size} entries\n`);
  });

  test('is verified as an export, by them and by the command', async () => {
    assert.equal(go.run('-head', kept, verifierKey, whole).output, `ok: ${size} entries\n`);
    const { code, output } = await waybill('verify', 'export', whole, '--key', verifierKey, '--head', kept);
    assert.equal(code, 0, output);
    const unnamed = await waybill('verify', 'export', whole);
    assert.equal(unnamed.code, 0, unnamed.output);
    assert.match(unnamed.output, /key from .*log\.vkey: compare it with what you were given/);
  });

  test('one entry is proved by one small file', async () => {
    const proved = await waybill('prove', '4711', '-c', `${root}/waybill.yaml`, '--out', root);
    assert.equal(proved.code, 0, proved.output);
    const proof = `${root}/4711.tlog-proof`;
    const right = await waybill('verify', 'proof', proof, '--key', verifierKey);
    assert.equal(right.code, 0, right.output);
    assert.match(right.output, /^verified: entry 4711 of acme\.example\/audit/);
    const entry = readFileSync(`${root}/4711.json`);
    writeFileSync(`${root}/other.json`, Buffer.concat([entry, Buffer.from('\n')]));
    const wrong = await waybill('verify', 'proof', proof, '--entry', `${root}/other.json`, '--key', verifierKey);
    assert.equal(wrong.code, 3);
    assert.match(wrong.output, /PROOF_INVALID/);
    const moved = readFileSync(proof, 'utf8').replace('index 4711', 'index 4712');
    writeFileSync(`${root}/moved.tlog-proof`, moved);
    const elsewhere = await waybill('verify', 'proof', `${root}/moved.tlog-proof`, '--entry', `${root}/4711.json`, '--key', verifierKey);
    assert.match(elsewhere.output, /is not entry 4712/);
  });
});

describe('the same tamperings are found by both', () => {
  const flip = (file: string, at: number) => (copy: string) => {
    const bytes = readFileSync(`${copy}/${file}`);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(`${copy}/${file}`, bytes);
  };
  const swap = (copy: string): void => {
    renameSync(`${copy}/tile/entries/001`, `${copy}/aside`);
    renameSync(`${copy}/tile/entries/003`, `${copy}/tile/entries/001`);
    renameSync(`${copy}/aside`, `${copy}/tile/entries/003`);
  };
  const rewind = (copy: string): void => {
    const head = readFileSync(kept);
    writeFileSync(`${copy}/checkpoint`, head);
  };
  const cases: readonly (readonly [string, (copy: string) => void, RegExp, RegExp])[] = [
    ['an entry is changed', flip('tile/entries/002', 200), /entry 512: it is not what was signed/, /entry 512 is not what was signed/],
    ['bundles change places', swap, /entry 256: it is not what was signed/, /entry 256 is not what was signed/],
    [
      'a bundle is removed',
      (copy) => unlinkSync(`${copy}/tile/entries/004`),
      /entry 1024: .*no such file/,
      /entries 1024 to 1279 are not there/,
    ],
    [
      'a bundle is cut',
      (copy) => writeFileSync(`${copy}/tile/entries/005`, readFileSync(`${copy}/tile/entries/005`).subarray(0, 700)),
      /entry 128\d: its bundle ends/,
      /entries 128\d to 1535 are not there/,
    ],
    ['a stored hash is changed', flip('tile/0/003', 100), /the hash of entry 771/, /has another hash than entry 771/],
    [
      'the head is changed',
      flip('checkpoint', 22),
      /malformed note|invalid signature|no head|not a number/,
      /not signed by its key|is not a signed head/,
    ],
    ['an older head is put in front', rewind, /no such file/, /is not there|is no tile of a tree/],
  ];
  for (const [what, change, byGo, byUs] of cases) {
    test(what, async () => {
      const copy = mkdtempSync(`${root}/changed-`);
      cpSync(whole, copy, { recursive: true });
      change(copy);
      const theirs = go.run(verifierKey, copy);
      assert.equal(theirs.ok, false);
      assert.match(theirs.output, byGo);
      const ours = await waybill('verify', 'export', copy, '--key', verifierKey);
      assert.equal(ours.code, 3, ours.output);
      assert.match(ours.output, byUs);
    });
  }
});
