import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { MadeLog, TestKey } from '../../test/doubles/made-log.ts';
import { noteSigner } from '../../test/doubles/note-signer.ts';
import { writeExport } from '../export/export.ts';
import { openPorts } from '../runtime/ports.ts';
import { parseVerifierKey } from '../tlog/key.ts';
import { parsePolicy } from '../tlog/policy.ts';
import { tilePath, tilesOf } from '../tlog/tile.ts';
import { openExportCopy } from './export-copy.ts';
import { claimedSize } from './head-check.ts';
import { VERIFY_JOBS } from './job-module.ts';
import { sha256 } from './jobs.ts';
import type { Verification } from './verification.ts';
import { unreadable, type VerifyOptions, verifyCopy } from './verify-copy.ts';

const ports = await openPorts({ logLevel: 'error', jobs: VERIFY_JOBS });
const root = mkdtempSync(join(tmpdir(), 'waybill-verify-export-'));
after(async () => {
  await ports.close();
  rmSync(root, { recursive: true });
});

const SIZE = 1_700;
const log = new MadeLog();
const whole = `${root}/whole`;
log.grow(600);
await writeExport({ directory: whole, source: log, onProgress: () => {} }, ports);
log.grow(SIZE - 600);
log.checkpoints = [await log.note(600), await log.note(1_100)];
await writeExport({ directory: whole, source: log, onProgress: () => {} }, ports);

async function verifyExport(path: string, more: Partial<VerifyOptions> = {}): Promise<Verification> {
  const opened = await openExportCopy(path, ports.files);
  if (!opened.ok) return unreadable('export', opened.finding, null);
  const keys = [parseVerifierKey(sha256, log.key.verifierKey)];
  const options = { keys, keyFrom: null, cosigners: [], policy: null, heads: [], identities: true, onProgress: () => {}, ...more };
  return verifyCopy(opened.copy, options, ports.background);
}

let copies = 0;

/** A copy of the export with something done to it. */
function tampered(change: (path: string) => void): string {
  const path = `${root}/copy-${copies++}`;
  cpSync(whole, path, { recursive: true });
  change(path);
  return path;
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

/** What was found, and the lowest place. */
function found({ findings, lowest }: Verification): unknown {
  return { codes: [...new Set(findings.map(({ code }) => code))].toSorted(), ...lowest };
}

const bundle = (n: number, width = 256): string => tilePath({ level: 'entries', n, width });

describe('an export', () => {
  test('is verified whole: every entry, hash and head', async () => {
    const result = await verifyExport(whole);
    assert.deepEqual(result.findings, []);
    assert.deepEqual(
      { size: result.size, head: result.head?.size, entries: result.counted.entries, heads: result.counted.heads },
      { size: SIZE, head: SIZE, entries: SIZE, heads: 4 },
    );
    const hashes = [...tilesOf(SIZE)].reduce((sum, { level, width }) => sum + (level === 'entries' ? 0 : width), 0);
    assert.equal(result.counted.hashes, hashes);
    assert.ok(result.ok);
  });

  test('an entry that was changed is found exactly', async () => {
    const { starts } = placesIn(2);
    const path = tampered((copy) => flip(`${copy}/${bundle(2)}`, (starts[77] ?? 0) + 60));
    const result = await verifyExport(path);
    assert.deepEqual(result.lowest, { index: 2 * 256 + 77, file: bundle(2) });
    assert.ok(result.findings.some(({ code }) => code === 'ENTRIES_CHANGED'));
    assert.equal(result.ok, false);
  });

  test('with its stored hash changed too, the head below says where it begins', async () => {
    const { starts } = placesIn(5);
    const path = tampered((copy) => {
      flip(`${copy}/${bundle(5)}`, (starts[20] ?? 0) + 60);
      flip(`${copy}/tile/0/005`, 20 * 32);
    });
    const result = await verifyExport(path);
    assert.ok(result.findings.some(({ code }) => code === 'ENTRIES_CHANGED'));
    const index = result.lowest?.index ?? 0;
    assert.ok(index >= 1_100 && index <= 5 * 256 + 20, String(index));
  });

  test('bundles that change places', async () => {
    const path = tampered((copy) => {
      renameSync(`${copy}/${bundle(1)}`, `${copy}/aside`);
      renameSync(`${copy}/${bundle(3)}`, `${copy}/${bundle(1)}`);
      renameSync(`${copy}/aside`, `${copy}/${bundle(3)}`);
    });
    const result = await verifyExport(path);
    assert.deepEqual(result.lowest, { index: 256, file: bundle(1) });
    assert.ok(result.findings.some(({ code }) => code === 'ENTRIES_CHANGED'));
  });

  test('a missing bundle, and everything behind it is still held against the heads', async () => {
    const result = await verifyExport(tampered((copy) => unlinkSync(`${copy}/${bundle(3)}`)));
    assert.deepEqual(found(result), { codes: ['FILE_MISSING'], index: 768, file: bundle(3) });
    assert.equal(result.head?.size, SIZE);
  });

  test('a bundle that was cut, or is longer', async () => {
    const cut = await verifyExport(
      tampered((copy) => {
        const bytes = readFileSync(`${copy}/${bundle(4)}`);
        writeFileSync(`${copy}/${bundle(4)}`, bytes.subarray(0, (placesIn(4).starts[9] ?? 0) + 5));
      }),
    );
    assert.deepEqual(found(cut), { codes: ['BYTES_DAMAGED'], index: 4 * 256 + 9, file: bundle(4) });
    const longer = await verifyExport(
      tampered((copy) => writeFileSync(`${copy}/${bundle(4)}`, Buffer.concat([readFileSync(`${copy}/${bundle(4)}`), Buffer.from('x')]))),
    );
    assert.deepEqual(found(longer), { codes: ['BYTES_EXTRA'] });
    assert.equal(longer.ok, false);
  });

  test('a stored hash at every level', async () => {
    for (const { level, n, width } of [...tilesOf(SIZE)].filter((tile) => tile.level !== 'entries')) {
      const file = tilePath({ level, n, width });
      const result = await verifyExport(tampered((copy) => flip(`${copy}/${file}`, 32 * (width - 1) + 3)));
      const index = (n * 256 + width - 1) * 256 ** Number(level);
      assert.deepEqual(found(result), { codes: ['HASH_CHANGED'], index, file }, file);
      const missing = await verifyExport(tampered((copy) => unlinkSync(`${copy}/${file}`)));
      assert.deepEqual(
        missing.findings.map(({ code, file: where }) => `${code} ${where}`),
        [`FILE_MISSING ${file}`],
      );
    }
  });

  test('what does not belong', async () => {
    const extra = ['tile/0/900', 'tile/entries/006.p/3', 'tile/x', 'more.txt', 'checkpoints/abc', 'tile/0/006.p/01'];
    for (const file of extra) {
      const result = await verifyExport(
        tampered((copy) => {
          mkdirSync(dirname(`${copy}/${file}`), { recursive: true });
          writeFileSync(`${copy}/${file}`, 'x');
        }),
      );
      assert.deepEqual(
        result.findings.map(({ code, file: where }) => `${code} ${where}`),
        [`FILE_EXTRA ${file}`],
      );
    }
    const interrupted = await verifyExport(tampered((copy) => writeFileSync(`${copy}/unfinished`, '{"v":1,"sizes":[]}')));
    assert.match(interrupted.findings[0]?.message ?? '', /interrupted/);
  });

  test('heads: none, changed, of another log, of an unknown key, and one of the history', async () => {
    const none = await verifyExport(tampered((copy) => unlinkSync(`${copy}/checkpoint`)));
    assert.deepEqual(found(none), { codes: ['HEAD_MISSING'], index: 0, file: 'checkpoint' });
    const smaller = await verifyExport(
      tampered((copy) => {
        const text = readFileSync(`${copy}/checkpoint`, 'utf8');
        writeFileSync(`${copy}/checkpoint`, text.replace(`\n${SIZE}\n`, `\n${SIZE - 1}\n`));
      }),
    );
    assert.ok(
      smaller.findings.some(({ code, file }) => code === 'HEAD_INVALID' && file === 'checkpoint'),
      'its signature',
    );
    const other = new TestKey(log.origin, 'z');
    const foreign = await verifyExport(tampered((copy) => writeFileSync(`${copy}/checkpoint`, other.note(noteText(copy)))));
    assert.ok(foreign.findings.some(({ code, file }) => code === 'KEY_UNKNOWN' && file === 'checkpoint'));
    assert.equal(foreign.ok, false);
    const history = await verifyExport(
      tampered((copy) => {
        const text = readFileSync(`${copy}/checkpoints/1100`, 'utf8');
        writeFileSync(`${copy}/checkpoints/1100`, text.replace('\n1100\n', '\n1101\n'));
      }),
    );
    assert.deepEqual(found(history), { codes: ['HEAD_INVALID'] });
  });

  test('rewritten and signed again: one head that was kept elsewhere shows it, and from where on', async () => {
    const before = await log.note(1_500);
    const rewritten = new MadeLog();
    rewritten.grow(700);
    rewritten.grow(1_000, (index) => (index === 700 ? 'what never happened' : `event ${index}`));
    const path = `${root}/rewritten`;
    await writeExport({ directory: path, source: rewritten, onProgress: () => {} }, ports);
    assert.equal((await verifyExport(path)).ok, true, 'nobody can tell without a head from elsewhere');
    const note = Buffer.from(before);
    const result = await verifyExport(path, { heads: [{ kind: 'head', note, size: claimedSize(note), file: 'kept', sampled: false }] });
    assert.deepEqual(
      result.findings.map(({ code }) => code),
      ['HISTORY_REWRITTEN'],
    );
    assert.match(result.findings[0]?.message ?? '', /1500 entries .* in kept contradicts .* 1700 entries/);
  });

  test('a policy that asks for a witness is not met by nobody', async () => {
    const witness = noteSigner('witness.example', 5, 4);
    const policy = parsePolicy(sha256, `log ${log.key.verifierKey}\nwitness w ${witness.verifierKey}\nquorum w\n`);
    const unmet = await verifyExport(whole, { policy, cosigners: [witness.key] });
    assert.deepEqual(found(unmet), { codes: ['WITNESS_MISSING'] });
    const cosigned = tampered((copy) => {
      const text = noteText(copy);
      const signed = readFileSync(`${copy}/checkpoint`, 'utf8');
      const { name, id, bytes } = witness.sign(text);
      const line = `\u2014 ${name} ${Buffer.concat([Buffer.from(id, 'hex'), bytes]).toString('base64')}\n`;
      writeFileSync(`${copy}/checkpoint`, signed + line);
    });
    const met = await verifyExport(cosigned, { policy, cosigners: [witness.key] });
    assert.deepEqual(met.findings, []);
    assert.equal(met.counted.cosignatures, 1);
    assert.equal(met.head?.cosignedBy[0]?.name, 'witness.example');
  });

  test('every file of it is looked at: one changed byte in any tile, head or bundle is found', async () => {
    const passedOver = ['VERIFY.txt', 'export.json', 'keys.json', 'lock', 'log.vkey', 'policy'];
    const files = readdirSync(whole, { recursive: true, withFileTypes: true }).filter((item) => item.isFile());
    for (const item of files) {
      const file = join(item.parentPath, item.name).slice(whole.length + 1);
      if (passedOver.includes(file)) continue;
      const { length } = readFileSync(`${whole}/${file}`);
      const result = await verifyExport(tampered((copy) => flip(`${copy}/${file}`, Math.floor((length * 2) / 3))));
      assert.equal(result.ok, false, file);
    }
  });
});

function noteText(copy: string): string {
  const text = readFileSync(`${copy}/checkpoint`, 'utf8');
  return text.slice(0, text.indexOf('\n\n') + 1);
}

/** Where the entries of a bundle of the whole export begin. */
function placesIn(n: number): { readonly starts: number[] } {
  const bytes = readFileSync(`${whole}/${bundle(n)}`);
  const starts: number[] = [];
  for (let at = 0; at < bytes.length; at += 2 + bytes.readUInt16BE(at)) starts.push(at + 2);
  return { starts };
}
