import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { formatCheckpoint } from '../../src/tlog/checkpoint.ts';
import { formatNote } from '../../src/tlog/note.ts';
import { noteSigner } from '../doubles/note-signer.ts';

const root = mkdtempSync(`${tmpdir()}/waybill-anchor-`);
after(() => rmSync(root, { recursive: true }));

/** The commands of the page for operators, in their order. */
const [query = '', ask = '', check = ''] = commandsOf(readFileSync(new URL('../../docs/operating.md', import.meta.url), 'utf8'));

function commandsOf(page: string): readonly string[] {
  const [, block = ''] = /### A time from somebody else[\s\S]*?```sh\n([\s\S]*?)```/.exec(page) ?? [];
  return block.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function sh(command: string): { readonly ok: boolean; readonly output: string } {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: root, encoding: 'utf8' });
  return { ok: status === 0, output: stdout + stderr };
}

function openssl(...words: readonly string[]): void {
  execFileSync('openssl', words, { cwd: root, stdio: 'ignore' });
}

/** An authority of time stamps on this machine: what a provider is on the network. */
before(() => {
  if (spawnSync('openssl', ['version']).status !== 0) {
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'ignore' });
    execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'openssl'], { stdio: 'ignore' });
  }
  writeFileSync(
    `${root}/tsa.cnf`,
    `[ req ]
distinguished_name = name
prompt = no
x509_extensions = stamps
[ name ]
CN = Test TSA
[ stamps ]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
[ tsa ]
default_tsa = here
[ here ]
serial = ./serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
crypto_device = builtin
ess_cert_id_alg = sha256
`,
  );
  writeFileSync(`${root}/serial`, '01\n');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', '-config', 'tsa.cnf', ...curve, '-keyout', 'tsa.key', '-out', 'tsa.pem', '-days', '2');
  const signer = noteSigner('acme.example/audit', 1);
  const text = formatCheckpoint({ origin: 'acme.example/audit', size: 12, root: 'r'.repeat(32) });
  writeFileSync(`${root}/checkpoint`, formatNote(text, [signer.sign(text)]));
});

test('a stamp over the bytes of a checkpoint is made and checked with the commands of the page, and holds for no other', () => {
  assert.match(query, /^openssl ts -query -data checkpoint /);
  assert.ok(sh(query).ok, sh(query).output);
  // The page asks a provider over the network: its answer is made here by openssl's own authority.
  assert.match(ask, /^curl .*application\/timestamp-query.*checkpoint\.tsq/);
  openssl(
    'ts',
    '-reply',
    '-config',
    'tsa.cnf',
    '-queryfile',
    'checkpoint.tsq',
    '-inkey',
    'tsa.key',
    '-signer',
    'tsa.pem',
    '-out',
    'checkpoint.tsr',
  );
  assert.ok(existsSync(`${root}/checkpoint.tsr`));
  const right = sh(check);
  assert.ok(right.ok, right.output);
  assert.match(right.output, /Verification: OK/);
  const bytes = readFileSync(`${root}/checkpoint`);
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  writeFileSync(`${root}/checkpoint`, bytes);
  const wrong = sh(check);
  assert.equal(wrong.ok, false);
  assert.match(wrong.output, /message imprint mismatch/);
});
