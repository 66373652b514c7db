import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import type { Verification } from '../../src/verify/verification.ts';
import { initWaybill, MAIN, startWaybill, until } from '../crash/process.ts';
import { startProducer } from '../crash/producer.ts';
import { initWitness, startWitness, type WitnessProcess } from '../crash/witness-process.ts';
import { noteSigner } from '../doubles/note-signer.ts';

const root = mkdtempSync(`${tmpdir()}/waybill-verify-`);
const file = `${root}/waybill.yaml`;
const keys: string[] = [];
let port = 0;
let witness: WitnessProcess;
let witnessKey = '';

function verify(...words: readonly string[]): { readonly code: number | null; readonly result: Verification } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'verify', ...words, '--json'], { encoding: 'utf8' });
  assert.ok(stdout.startsWith('{'), stdout + stderr);
  return { code: status, result: JSON.parse(stdout) as Verification };
}

function codes({ findings }: Verification): readonly string[] {
  return [...new Set(findings.map(({ code }) => code))].toSorted();
}

/** Runs the server until so many events are acknowledged. */
async function load(prefix: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const server = await startWaybill(file, port);
  const producer = startProducer(server.url, 2, 20, '', prefix);
  await until('events', () => producer.acknowledged.length >= 400);
  await producer.finish();
  await server.end(signal);
  keys.push(readFileSync(`${root}/keys/log.vkey`, 'utf8').trim());
}

before(async () => {
  port = await freePort();
  const witnessPort = await freePort();
  mkdirSync(`${root}/witness`);
  mkdirSync(`${root}/keys`);
  const yaml = (witnesses: string): string => `ledger: { origin: acme.example/audit, path: ./data${witnesses} }
api: { listen: 127.0.0.1:${port} }
sources: { app: { type: http, schema: json, id_field: id } }
destinations: { out: { type: file, path: ./out.ndjson, start: beginning } }
`;
  initWaybill(root, yaml(''));
  const first = readFileSync(`${root}/keys/log.vkey`, 'utf8').trim();
  execFileSync(process.execPath, [MAIN, 'key', 'rotate', '-c', file], { stdio: 'ignore' });
  const next = readFileSync(`${root}/keys/log.next.vkey`, 'utf8').trim();
  const made = initWitness(
    `${root}/witness`,
    `name: witness.example\nlisten: 127.0.0.1:${witnessPort}\npath: ./state\nlogs:\n  - vkeys: ["${first}", "${next}"]\n`,
  );
  witnessKey = made.verifierKey;
  witness = await startWitness(made.file, witnessPort);
  writeFileSync(file, yaml(`, witnesses: [{ name: w, vkey: "${witnessKey}", url: "${witness.url}", required: true }]`));
  keys.push(first);
  await load('one');
  await load('two');
});
after(async () => {
  await witness.end('SIGKILL');
  rmSync(root, { recursive: true });
});

test('a rotation of the real server is followed from either key, and each head was cosigned by the witness', () => {
  const [first = '', ...later] = keys;
  const last = later.at(-1) ?? '';
  assert.notEqual(first, last, 'the key was replaced');
  writeFileSync(`${root}/policy`, `log ${first}\nwitness w ${witnessKey}\nquorum w\n`);
  for (const words of [
    ['--key', first],
    ['--key', last],
    ['--policy', `${root}/policy`],
  ]) {
    const { code, result } = verify('ledger', `${root}/data`, ...words, '--identities');
    assert.deepEqual([code, result.findings], [0, []]);
    assert.deepEqual(result.head?.signedBy, [last]);
    assert.equal(result.head?.size, result.size);
    if (words[0] === '--policy') assert.ok(result.head?.cosignedBy.some(({ name }) => name === 'witness.example'));
  }
  const other = noteSigner('acme.example/audit', 77);
  assert.deepEqual(codes(verify('ledger', `${root}/data`, '--key', other.verifierKey).result), ['KEY_UNKNOWN']);
});

test('a policy with a witness that never signed is not met', () => {
  const stranger = noteSigner('stranger.example', 5, 4);
  writeFileSync(`${root}/strict`, `log ${keys[0]}\nwitness s ${stranger.verifierKey}\nquorum s\n`);
  const { code, result } = verify('ledger', `${root}/data`, '--policy', `${root}/strict`);
  assert.equal(code, 3);
  assert.deepEqual(codes(result), ['WITNESS_MISSING']);
});

test('wrong words are wrong words, and no ledger is no verified ledger', () => {
  const run = (...words: readonly string[]): number | null => spawnSync(process.execPath, [MAIN, 'verify', ...words]).status;
  assert.equal(run('ledger', `${root}/data`, '--key', 'nonsense'), 2);
  assert.equal(run('export'), 2);
  assert.equal(run('proof', `${root}/nothing.tlog-proof`, '--key', keys[0] ?? ''), 2);
  assert.equal(run('ledger', root, '--key', keys[0] ?? ''), 3);
  assert.equal(run('export', root, '--key', keys[0] ?? ''), 3);
});

test('after kill -9 entries may be without a head, which is said, and the next start signs them', async () => {
  await load('three', 'SIGKILL');
  const killed = verify('ledger', '-c', file);
  if (killed.code !== 0) assert.ok(codes(killed.result).every((code) => code === 'TAIL_UNSEALED' || code === 'WRITE_UNFINISHED'));
  await load('four');
  const { code, result } = verify('ledger', '-c', file);
  assert.deepEqual([code, result.findings], [0, []]);
  assert.match(result.keyFrom ?? '', /log\.vkey$/);
});
