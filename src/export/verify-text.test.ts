import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { MadeLog } from '../../test/doubles/made-log.ts';
import { openDisk } from '../runtime/disk.ts';
import { writeExport } from './export.ts';

const disk = openDisk();
const root = mkdtempSync(join(tmpdir(), 'waybill-verify-text-'));
after(async () => {
  await disk.close();
  rmSync(root, { recursive: true });
});

/** The commands of one numbered section, as they stand there. */
function commands(text: string, section: number): string {
  const [, body = ''] = new RegExp(`^${section}\\. .*\\n\\n((?:  .*\\n)+)`, 'm').exec(text) ?? [];
  assert.notEqual(body, '');
  return body.replaceAll('/tmp/', `${root}/`);
}

function shell(script: string, directory: string): string {
  return execFileSync('bash', ['-euc', script], { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

describe('VERIFY.txt', async () => {
  const log = new MadeLog();
  log.grow(600);
  const place = `${root}/export`;
  await writeExport({ directory: place, source: log, onProgress: () => {} }, { disk });
  const text = readFileSync(`${place}/VERIFY.txt`, 'utf8');

  it('has commands of OpenSSL that check the signature, and find a head that was changed', () => {
    const script = commands(text, 2);
    assert.match(shell(script, place), /Signature Verified Successfully/);
    const checkpoint = readFileSync(`${place}/checkpoint`, 'utf8');
    writeFileSync(`${place}/checkpoint`, checkpoint.replace('\n600\n', '\n601\n'));
    assert.throws(() => shell(script, place), { status: 1, stdout: /Signature Verification Failure/ });
    writeFileSync(`${place}/checkpoint`, checkpoint);
  });

  it('has commands of sha256sum that find the hash of an entry in the tree', () => {
    const found = (): string[] => shell(commands(text, 3), place).split('\n');
    const [made, kept] = found();
    assert.match(made ?? '', /^[0-9a-f]{64}$/);
    assert.equal(made, kept);
    const bundle = readFileSync(`${place}/tile/entries/000`);
    writeFileSync(`${place}/tile/entries/000`, bundle.fill('!', 30, 31));
    const [other] = found();
    assert.match(other ?? '', /^[0-9a-f]{64}$/);
    assert.notEqual(other, kept);
  });

  it('names the key, and says that it has to be compared', () => {
    assert.ok(text.includes(`\n  ${log.key.verifierKey}\n`));
    assert.match(text, /Compare this line with the one that you were given/);
  });
});
