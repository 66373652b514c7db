import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { writeExport } from '../../src/export/export.ts';
import { openDisk } from '../../src/runtime/disk.ts';
import { readBundle } from '../../src/tlog/bundle.ts';
import { hashBytes, leafHash } from '../../src/tlog/hash.ts';
import { MadeLog, TestKey } from '../doubles/made-log.ts';
import { sha256 } from '../doubles/note-signer.ts';
import { buildGoVerifier } from './go-tool.ts';

const go = buildGoVerifier();
const disk = openDisk();
const root = mkdtempSync(join(tmpdir(), 'waybill-go-test-'));
after(async () => {
  go.remove();
  await disk.close();
  rmSync(root, { recursive: true });
});

const log = new MadeLog();
let exports = 0;

async function exported(source: MadeLog): Promise<string> {
  const directory = `${root}/export-${exports++}`;
  await writeExport({ directory, source, onProgress: () => {} }, { disk });
  return directory;
}

describe('the packages of the Go team', () => {
  test('verify exports of every kind of size', async () => {
    for (const size of [1, 255, 256, 257, 700, 65_536, 66_000]) {
      log.grow(size - log.entries.length);
      const { ok, output } = go.run(log.key.verifierKey, await exported(log));
      assert.ok(ok, output);
      assert.equal(output, `ok: ${size} entries\n`);
    }
  });

  test('the program that VERIFY.txt brings along says whether a copy is whole', async () => {
    const small = new MadeLog();
    small.grow(700);
    const copy = await exported(small);
    const [, indented = ''] = /As main\.go:\n\n([\s\S]*?)\n  go mod init/.exec(readFileSync(`${copy}/VERIFY.txt`, 'utf8')) ?? [];
    writeFileSync(`${root}/main.go`, indented.replaceAll(/^ {2}/gm, ''));
    const program = buildGoVerifier(`${root}/main.go`);
    try {
      const words = [copy, small.key.verifierKey];
      assert.deepEqual(program.run(...words), { ok: true, output: `verified 700 entries of ${small.key.verifierKey.split('+')[0]}\n` });
      const bytes = readFileSync(`${copy}/tile/entries/001`);
      bytes[100] = (bytes[100] ?? 0) ^ 1;
      writeFileSync(`${copy}/tile/entries/001`, bytes);
      assert.deepEqual(program.run(...words), { ok: false, output: 'NOT the tree that was signed\n' });
    } finally {
      program.remove();
    }
  });

  test('find what was changed, and where', async () => {
    const small = new MadeLog();
    small.grow(1_700);
    const whole = await exported(small);
    const changed = (change: (copy: string) => void): string => {
      const copy = `${root}/changed-${exports++}`;
      cpSync(whole, copy, { recursive: true });
      change(copy);
      const { ok, output } = go.run(small.key.verifierKey, copy);
      assert.equal(ok, false, output);
      return output;
    };
    const flip = (file: string, at: number) => (copy: string) => {
      const bytes = readFileSync(`${copy}/${file}`);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(`${copy}/${file}`, bytes);
    };
    assert.match(changed(flip('tile/entries/002', 100)), /entry 512: it is not what was signed/);
    const both = (copy: string): void => {
      flip('tile/entries/002', 100)(copy);
      const { starts, ends } = readBundle(readFileSync(`${copy}/tile/entries/002`), 256);
      const hashes = readFileSync(`${copy}/tile/0/002`);
      hashes.set(hashBytes(leafHash(sha256, readFileSync(`${copy}/tile/entries/002`), starts[0] ?? 0, ends[0] ?? 0)));
      writeFileSync(`${copy}/tile/0/002`, hashes);
    };
    assert.match(changed(both), /entry 512: it is not what was signed/);
    assert.match(changed(flip('tile/0/003', 100)), /tile\/0\/003: the hash of entry 771/);
    assert.match(changed(flip('tile/1/000.p/6', 40)), /tile\/1\/000.p\/6: the hash of entry 256/);
    assert.match(changed(flip('checkpoint', 20)), /malformed note|invalid signature/);
    assert.match(
      changed((copy) => unlinkSync(`${copy}/tile/entries/004`)),
      /entry 1024: .*no such file/,
    );
    const swap = (copy: string): void => {
      renameSync(`${copy}/tile/entries/001`, `${copy}/aside`);
      renameSync(`${copy}/tile/entries/003`, `${copy}/tile/entries/001`);
      renameSync(`${copy}/aside`, `${copy}/tile/entries/003`);
    };
    assert.match(changed(swap), /entry 256: it is not what was signed/);
    const cut = (copy: string): void =>
      writeFileSync(`${copy}/tile/entries/005`, readFileSync(`${copy}/tile/entries/005`).subarray(0, 1_000));
    assert.match(changed(cut), /its bundle ends/);
    const { ok, output } = go.run(new TestKey(small.origin, 'z').verifierKey, whole);
    assert.equal(ok, false);
    assert.match(output, /no verifiable signatures/);
  });

  test('hold a head that was kept elsewhere against the tree', async () => {
    const kept = `${root}/kept`;
    writeFileSync(kept, await log.note(500));
    const { verifierKey } = log.key;
    const whole = await exported(log);
    assert.match(go.run('-head', kept, verifierKey, whole).output, /^ok/);
    const rewritten = new MadeLog();
    rewritten.grow(700, (index) => (index === 300 ? 'another story' : `event ${index}`));
    const other = await exported(rewritten);
    assert.match(go.run(verifierKey, other).output, /^ok/, 'nobody can tell without a head from elsewhere');
    assert.match(go.run('-head', kept, verifierKey, other).output, /not the beginning of this tree/);
    const short = new MadeLog();
    short.grow(400);
    assert.match(go.run('-head', kept, verifierKey, await exported(short)).output, /entry 400: it is not there/);
  });
});
