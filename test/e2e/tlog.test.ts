import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { readBundle } from '../../src/tlog/bundle.ts';
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { decodeHash, hashAt, leafHash, nodeHash } from '../../src/tlog/hash.ts';
import { parseVerifierKey, type VerifierKey } from '../../src/tlog/key.ts';
import { openNote, parseNote } from '../../src/tlog/note.ts';
import { checkInclusion, rootOf } from '../../src/tlog/proof.ts';
import { type Tile, tilePath, tilesOf } from '../../src/tlog/tile.ts';
import { initWaybill, MAIN, startWaybill, until, type WaybillProcess } from '../crash/process.ts';
import { checkEd25519, sha256 } from '../doubles/note-signer.ts';
import { provedBy } from '../doubles/published-log.ts';

async function made(t: TestContext, ledger = '') {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-tlog-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const yaml = `ledger: { origin: tlog.example/audit, path: ./data${ledger} }
api: { listen: "127.0.0.1:${port}" }
sources: { app: { type: http, schema: json, id_field: id } }
`;
  const file = initWaybill(directory, yaml);
  const key = parseVerifierKey(sha256, readFileSync(`${directory}/keys/log.vkey`, 'utf8').trim());
  const start = async (): Promise<WaybillProcess> => {
    const running = await startWaybill(file, port);
    t.after(() => running.end('SIGKILL'));
    return running;
  };
  return { directory, file, key, start };
}

async function send({ url }: WaybillProcess, from: number, count: number, query = ''): Promise<Record<string, unknown>> {
  const body = JSON.stringify(Array.from({ length: count }, (_, k) => ({ id: `e${from + k}`, text: 'x'.repeat((from + k) % 90) })));
  const answer = await fetch(`${url}/v1/events${query}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  assert.equal(answer.status, 200);
  return (await answer.json()) as Record<string, unknown>;
}

async function bytesOf({ url }: WaybillProcess, path: string): Promise<Buffer> {
  const answer = await fetch(`${url}/tlog/${path}`);
  assert.equal(answer.status, 200, path);
  return Buffer.from(await answer.arrayBuffer());
}

/** The size and the root of the newest checkpoint, by its verifier key alone. */
async function headOf(running: WaybillProcess, key: VerifierKey): Promise<{ readonly size: number; readonly root: string }> {
  const note = parseNote(await bytesOf(running, 'checkpoint'));
  openNote(note, [key], checkEd25519);
  return parseCheckpoint(note.text);
}

async function headOver(running: WaybillProcess, key: VerifierKey, least: number): Promise<number> {
  // A process that has just started has no head for a moment.
  const there = async (): Promise<boolean> =>
    (await fetch(`${running.url}/tlog/checkpoint`)).ok && (await headOf(running, key)).size >= least;
  await until(`a head over ${least} entries`, there);
  return (await headOf(running, key)).size;
}

/** Fetches a whole log and checks every byte of it, as a client would that knows nothing but the key. */
async function auditLog(running: WaybillProcess, key: VerifierKey): Promise<Map<string, Buffer>> {
  const { size, root } = await headOf(running, key);
  const got = new Map<string, Buffer>();
  for (const tile of tilesOf(size)) got.set(tilePath(tile), await bytesOf(running, tilePath(tile)));
  const at = (tile: Tile): Buffer => got.get(tilePath(tile)) ?? assert.fail(tilePath(tile));
  const levels: string[][] = [[]];
  for (const tile of tilesOf(size)) {
    const bytes = at(tile);
    if (tile.level === 'entries') {
      const { starts, ends } = readBundle(bytes, tile.width);
      for (let k = 0; k < tile.width; k++) levels[0]?.push(leafHash(sha256, bytes, starts[k] ?? 0, ends[k] ?? 0));
      continue;
    }
    const known = levels[8 * tile.level] ?? [];
    assert.equal(bytes.length, 32 * tile.width);
    for (let k = 0; k < tile.width; k++) assert.equal(hashAt(bytes, 32 * k), known[tile.n * 256 + k], `${tilePath(tile)} at ${k}`);
    for (let level = 8 * tile.level; level < 8 * tile.level + 8; level++) {
      const below = levels[level] ?? [];
      levels[level + 1] = Array.from({ length: below.length >> 1 }, (_, k) => nodeHash(sha256, below[2 * k] ?? '', below[2 * k + 1] ?? ''));
    }
  }
  assert.equal(await rootOf(sha256, size, (level, index) => levels[level]?.[index] ?? assert.fail(`${level}/${index}`)), root);
  return got;
}

test('the log under /tlog/ is whole under load, the same after kill -9, and made again when its packs are lost', {
  timeout: 100_000,
}, async (t) => {
  const { directory, key, start } = await made(t);
  let running = await start();
  const loading = Promise.all([0, 1, 2].map((lane) => sendMany(running, lane * 10_000, 30)));
  for (let look = 0; look < 3; look++) {
    await headOver(running, key, 700 * (look + 1));
    await auditLog(running, key);
  }
  await loading;
  await headOver(running, key, 4_500);
  const before = await auditLog(running, key);
  await running.end('SIGKILL');
  running = await start();
  const size = await headOver(running, key, 4_500);
  for (const [path, bytes] of before) assert.deepEqual(await bytesOf(running, path), bytes, path);
  await send(running, 90_000, 300);
  await headOver(running, key, size + 300);
  await auditLog(running, key);
  const { tree, bytes } = await spaceOf(running);
  assert.deepEqual(tree, { bytes: 8_208 * Math.floor((size + 300) / 256), fault: null });
  assert.equal(bytes.used, bytesUnder(join(directory, 'data/segments')) + bytesUnder(join(directory, 'data/snapshots')));
  assert.equal(await running.end('SIGTERM'), 0, running.log());

  const pack = join(directory, 'data/tree/packs/0-000000000000.pack');
  // What the hashes take is told beside what counts against the limit.
  assert.equal(statSync(pack).size, 64 + 8_208 * Math.floor((size + 300) / 256));
  rmSync(pack);
  running = await start();
  await headOver(running, key, size + 300);
  for (const [path, bytes] of before) assert.deepEqual(await bytesOf(running, path), bytes, path);
  assert.match(running.log(), /a pack of the tree lacked a tile/);
  await auditLog(running, key);
});

interface Space {
  readonly tree: { readonly bytes: number; readonly fault: unknown };
  readonly bytes: { readonly used: number };
}

async function spaceOf({ url }: WaybillProcess): Promise<Space> {
  return ((await (await fetch(`${url}/v1/status`)).json()) as { readonly ledger: Space }).ledger;
}

function bytesUnder(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

async function sendMany(running: WaybillProcess, from: number, requests: number): Promise<void> {
  for (let k = 0; k < requests; k++) await send(running, from + 50 * k, 50);
}

test('an entry is proved with the answer, by its own path and by the command, and checked offline', { timeout: 60_000 }, async (t) => {
  const { directory, file, key, start } = await made(t);
  const running = await start();
  await send(running, 0, 500);
  const { first_index: first, proofs } = await send(running, 600, 3, '?proof=true');
  const { published, size, checkpoint, entries } = proofs as {
    readonly published: boolean;
    readonly size: number;
    readonly checkpoint: string;
    readonly entries: readonly { readonly index: number; readonly proof: readonly string[] }[];
  };
  assert.equal(published, true);
  assert.deepEqual(
    entries.map(({ index }) => index),
    [0, 1, 2].map((k) => (first as number) + k),
  );
  const note = parseNote(Buffer.from(checkpoint));
  openNote(note, [key], checkEd25519);
  const { root } = parseCheckpoint(note.text);
  for (const { index, proof } of entries) {
    const line = await (await fetch(`${running.url}/v1/entries?from=${index}&limit=1`)).text();
    const entry = Buffer.from(line.slice(`{"index":${index},"entry":`.length, -2));
    const leaf = leafHash(sha256, entry, 0, entry.length);
    assert.ok(checkInclusion(sha256, { size, index, leaf, proof: proof.map((hash) => decodeHash(hash) ?? ''), root }));
    const text = await (await fetch(`${running.url}/v1/entries/${index}/proof`)).text();
    assert.equal(provedBy(text, entry, [key]).index, index);
    const json = (await (await fetch(`${running.url}/v1/entries/${index}/proof`, { headers: { accept: 'application/json' } })).json()) as {
      readonly size: number;
    };
    assert.ok(json.size >= size);
  }

  const out = join(directory, 'evidence');
  const said = execFileSync(process.execPath, [MAIN, 'prove', '17', '-c', file, '--out', out], { encoding: 'utf8' });
  assert.match(said, /entry 17 is in the log: proved under the checkpoint over \d+ entries/);
  const entry = readFileSync(join(out, '17.json'));
  assert.equal(provedBy(readFileSync(join(out, '17.tlog-proof'), 'utf8'), entry, [key]).index, 17);
  const bundle = await bytesOf(running, 'tile/entries/000');
  const { starts, ends } = readBundle(bundle, 256);
  assert.deepEqual(entry, bundle.subarray(starts[17], ends[17]));
  const checked = execFileSync(
    process.execPath,
    [MAIN, 'verify', 'proof', '17.tlog-proof', '--key', join(directory, 'keys/log.vkey'), '--json'],
    {
      cwd: out,
      encoding: 'utf8',
    },
  );
  assert.ok(checked.includes('17'), checked);
  assert.throws(
    () => execFileSync(process.execPath, [MAIN, 'prove', '9999', '-c', file, '--out', out], { stdio: ['ignore', 'pipe', 'pipe'] }),
    /ENTRY_UNKNOWN/,
  );
});

test('what retention removed is proved all the same, and what is there even when the tree is lost', { timeout: 100_000 }, async (t) => {
  const { directory, file, key, start } = await made(t, ', segment: 1MiB, retain: { bytes: 16MiB }');
  let running = await start();
  const beginning = async (): Promise<number> =>
    ((await (await fetch(`${running.url}/v1/status`)).json()) as { readonly ledger: { readonly beginning: number } }).ledger.beginning;
  for (let k = 0; (await beginning()) === 0; k++) await send(running, 500 * k, 500);
  const removed = await fetch(`${running.url}/tlog/tile/entries/000`);
  assert.deepEqual([removed.status, ((await removed.json()) as { error: { code: string } }).error.code], [410, 'LEDGER_PRUNED']);
  assert.equal((await bytesOf(running, 'tile/0/000')).length, 8_192);
  const out = join(directory, 'evidence');
  const said = execFileSync(process.execPath, [MAIN, 'prove', '3', '-c', file, '--out', out], { encoding: 'utf8' });
  assert.match(said, /its bytes were removed by retention/);
  assert.deepEqual(readdirSync(out), ['3.tlog-proof']);
  assert.equal(await running.end('SIGTERM'), 0, running.log());

  rmSync(join(directory, 'data/tree'), { recursive: true });
  running = await start();
  await headOver(running, key, await beginning());
  const size = await headOver(running, key, (await beginning()) + 300);
  for (const index of [await beginning(), size - 1]) {
    const line = await (await fetch(`${running.url}/v1/entries?from=${index}&limit=1`)).text();
    const proof = await (await fetch(`${running.url}/v1/entries/${index}/proof`)).text();
    assert.equal(provedBy(proof, Buffer.from(line.slice(`{"index":${index},"entry":`.length, -2)), [key]).index, index);
  }
  const lost = await fetch(`${running.url}/v1/entries/3/proof`);
  assert.deepEqual([lost.status, ((await lost.json()) as { error: { code: string } }).error.code], [410, 'LEDGER_PRUNED']);
  assert.equal((await fetch(`${running.url}/tlog/tile/0/000`)).status, 410);
});
