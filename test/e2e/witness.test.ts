import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { emptyRoot } from '../../src/tlog/hash.ts';
import { parseVerifierKey, type VerifierKey } from '../../src/tlog/key.ts';
import { openNote, parseNote } from '../../src/tlog/note.ts';
import { MAIN, until } from '../crash/process.ts';
import { initWitness, startWitness, type WitnessProcess, type WitnessReply } from '../crash/witness-process.ts';
import { makeAuthority } from '../doubles/certificate-authority.ts';
import { checkEd25519, noteSigner, sha256 } from '../doubles/note-signer.ts';
import { TestLog, type TestRequest } from '../doubles/test-log.ts';

const ORIGIN = 'example.com/log';
const key = noteSigner(ORIGIN, 1);
const nextKey = noteSigner(ORIGIN, 2);
const stranger = noteSigner(ORIGIN, 3);
const log = new TestLog(ORIGIN, 600);
const branch = new TestLog(ORIGIN, 600, 250);
const unknown = new TestLog('example.com/unknown', 9);
const PLAIN = 'text/plain; charset=utf-8';

const directory = mkdtempSync(`${tmpdir()}/waybill-witness-`);
let port = 0;
let file = '';
let own: VerifierKey;
let witness: WitnessProcess;

const yaml = (): string => `name: witness.example
listen: 127.0.0.1:${port}
path: ./state
log_level: warn
logs:
  - vkeys: ["${key.verifierKey}", "${nextKey.verifierKey}"]
`;

before(async () => {
  port = await freePort();
  const made = initWitness(directory, yaml());
  file = made.file;
  own = parseVerifierKey(sha256, made.verifierKey);
  witness = await startWitness(file, port);
});
after(async () => {
  await witness.end('SIGKILL');
  rmSync(directory, { recursive: true });
});

const ask = async (what: TestRequest, of = log): Promise<WitnessReply> => witness.add(await of.request(what));
const bytes = (text: string): Promise<WitnessReply> => witness.add(Buffer.from(text));
const good = (from: number, to: number): Promise<Buffer> => log.request({ from, to, signers: [key] });

describe('a witness as C2SP tlog-witness has it, in this order', () => {
  test('what it has never seen begins at 0', async () => {
    assert.deepEqual(await ask({ from: 5, to: 9, signers: [key] }), { status: 409, type: 'text/x.tlog.size', text: '0\n' });
    assert.equal((await fetch(`${witness.url}/${hash('sha256', ORIGIN)}/checkpoint`)).status, 404);
  });

  test('200 is a cosignature of the note with the time', async () => {
    const reply = await ask({ from: 0, to: 100, signers: [key] });
    assert.equal(reply.status, 200);
    assert.equal(reply.type, PLAIN);
    assert.match(reply.text, /^\u2014 witness\.example [A-Za-z0-9+/]{102}==\n$|^\u2014 witness\.example [A-Za-z0-9+/]{104}\n$/);
    const note = parseNote(Buffer.from((await log.checkpoint(100, [key])) + reply.text));
    const [, line] = openNote(note, [key.key, own], checkEd25519);
    assert.ok(line !== undefined && line.time !== null && Math.abs(line.time - Date.now() / 1_000) < 60);
  });

  test('every refusal has its code', async () => {
    const proof = await log.proof(100, 200);
    const rows: readonly (readonly [string, Promise<WitnessReply>, number, RegExp])[] = [
      ['an unknown log', ask({ from: 0, to: 9, signers: [key] }, unknown), 404, /^the log is not known here\n$/],
      ['an unknown log, and also everything else', ask({ from: 9, to: 5, signers: [stranger], proof }, unknown), 404, /not known/],
      ['an unknown key', ask({ from: 100, to: 200, signers: [stranger] }), 403, /^none of the known keys signed the note/],
      ['an unknown key before the old size', ask({ from: 200, to: 100, signers: [stranger] }), 403, /none of the known keys/],
      ['a wrong line of a known key', bytes(mixed(await good(100, 200), await good(100, 201))), 403, /is wrong\n$/],
      ['an old size above the new one', ask({ from: 200, to: 100, signers: [key] }), 400, /^the old size 200 is above .* 100\n$/],
      ['the same, before the size that is known', ask({ from: 101, to: 99, signers: [key] }), 400, /old size/],
      ['a wrong proof', ask({ from: 100, to: 200, signers: [key], proof: proof.toReversed() }), 422, /does not show/],
      ['no proof', ask({ from: 100, to: 200, signers: [key], proof: [] }), 422, /does not show/],
      ['another root of the same size', ask({ from: 100, to: 100, signers: [key], root: emptyRoot(sha256) }), 422, /signed before/],
      ['a proof between equal sizes', ask({ from: 100, to: 100, signers: [key], proof }), 422, /does not show/],
      ['nothing', bytes(''), 400, /no blank line/],
      ['no old size', bytes(text(await good(100, 200)).replace('old ', 'size ')), 400, /line 1/],
      ['a leading zero', bytes(text(await good(100, 200)).replace('old 100', 'old 0100')), 400, /line 1/],
      ['a size beyond exact numbers', bytes(text(await good(100, 200)).replace('old 100', 'old 9007199254740993')), 400, /line 1/],
      [
        '64 hashes',
        ask({ from: 100, to: 200, signers: [key], proof: Array.from({ length: 64 }, () => emptyRoot(sha256)) }),
        400,
        /63 hashes/,
      ],
      ['no checkpoint', bytes('old 0\n\n'), 400, /blank line/],
      ['a line feed of another system', bytes(text(await good(100, 200)).replaceAll('\n', '\r\n')), 400, /./],
    ];
    for (const [what, asked, status, body] of rows) {
      const reply = await asked;
      assert.equal(reply.status, status, `${what}: ${reply.text}`);
      assert.equal(reply.type, PLAIN, what);
      assert.match(reply.text, body, what);
    }
    const conflict = { status: 409, type: 'text/x.tlog.size', text: '100\n' };
    assert.deepEqual(await ask({ from: 0, to: 200, signers: [key] }), conflict, 'smaller');
    assert.deepEqual(await ask({ from: 150, to: 200, signers: [key] }), conflict, 'larger');
    assert.deepEqual(
      await ask({ from: 0, to: 0, signers: [key], root: sha256(Buffer.from('x')) }),
      conflict,
      'another size, also of a wrong root',
    );
    assert.deepEqual(await ask({ from: 150, to: 200, signers: [key], proof: [] }), conflict, 'before the proof');
  });

  test('a new key of the log is as good, and lines of strangers change nothing', async () => {
    assert.equal((await ask({ from: 100, to: 100, signers: [nextKey, key] })).status, 200);
    assert.equal((await ask({ from: 100, to: 300, signers: [stranger, noteSigner('x.example', 7, 4), nextKey] })).status, 200);
  });

  test('a split view is refused and told to the operator with both heads', async () => {
    assert.equal((await ask({ from: 300, to: 400, signers: [key] }, branch)).status, 422);
    assert.equal((await ask({ from: 300, to: 300, signers: [key] }, branch)).status, 422);
    assert.match(witness.log(), /a log signed a head that was not shown to continue its last one/);
    assert.ok(witness.log().includes((await branch.checkpoint(400, [key])).split('\n')[2] ?? '-'));
  });

  test('everybody may look at the newest head that it signed', async () => {
    const answer = await fetch(`${witness.url}/${hash('sha256', ORIGIN)}/checkpoint`);
    assert.equal(answer.headers.get('content-type'), PLAIN);
    const note = parseNote(Buffer.from(await answer.text()));
    assert.equal(note.text.split('\n')[1], '300');
    // The lines of strangers are not passed on.
    assert.deepEqual(
      note.signatures.map(({ name }) => name),
      [ORIGIN, 'witness.example'],
    );
    assert.equal(openNote(note, [nextKey.key, own], checkEd25519).length, 2);
  });

  test('other paths, methods and sizes', async () => {
    const rows: readonly (readonly [string, string, number])[] = [
      ['GET', '/', 404],
      ['GET', '/add-checkpoint', 405],
      ['PUT', '/add-checkpoint', 405],
      ['POST', '/add-checkpoint/', 404],
      ['POST', '/add-checkpoint?x=1', 404],
      ['POST', '/livez', 405],
      ['GET', `/${'0'.repeat(64)}/checkpoint`, 404],
      ['GET', `/${hash('sha256', ORIGIN).toUpperCase()}/checkpoint`, 404],
      ['POST', `/${hash('sha256', ORIGIN)}/checkpoint`, 405],
      ['HEAD', `/${hash('sha256', ORIGIN)}/checkpoint`, 200],
      ['GET', '/../witness.key', 404],
    ];
    for (const [method, path, status] of rows) {
      assert.equal(
        (await fetch(witness.url + path, { method, ...(method === 'GET' || method === 'HEAD' ? {} : { body: 'x' }) })).status,
        status,
        `${method} ${path}`,
      );
    }
    const large = await witness.add(Buffer.alloc(131_073, 'x'));
    assert.equal(large.status, 413);
    assert.equal((await witness.add(Buffer.alloc(131_072, 'x'))).status, 400);
    // Who never stops is cut off; the answer may be lost on the way to somebody who does not listen.
    assert.ok([413, 'cut off'].includes(await endless()));
    assert.equal((await fetch(`${witness.url}/livez`)).status, 200);
  });
});

describe('the process', () => {
  test('one at a time', () => {
    const second = spawnSync(process.execPath, [MAIN, 'witness', 'run', '-c', file], { encoding: 'utf8', timeout: 20_000 });
    assert.equal(second.status, 1);
    assert.match(second.stderr, /WITNESS_LOCKED/);
  });

  test('it ends by SIGTERM, and goes on where it was', async () => {
    assert.equal(await witness.end('SIGTERM'), 0);
    witness = await startWitness(file, port);
    assert.deepEqual(await ask({ from: 0, to: 600, signers: [key] }), { status: 409, type: 'text/x.tlog.size', text: '300\n' });
    assert.equal((await ask({ from: 300, to: 600, signers: [key] })).status, 200);
  });

  test('its key is for its owner, and is not replaced', () => {
    const path = `${directory}/witness.key`;
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const before = readFileSync(path, 'utf8');
    const again = initWitness(directory, yaml());
    assert.equal(readFileSync(path, 'utf8'), before);
    assert.equal(parseVerifierKey(sha256, again.verifierKey).id, own.id);
  });

  test('a state that is gone is not made anew beside a key that has signed', async () => {
    const other = mkdtempSync(`${tmpdir()}/waybill-witness-`);
    const command = (...words: string[]) => {
      const done = spawnSync(process.execPath, [MAIN, 'witness', ...words, '-c', `${other}/witness.yaml`], {
        encoding: 'utf8',
        timeout: 20_000,
      });
      return { status: done.status, text: done.stdout + done.stderr };
    };
    assert.equal(command('run').status, 78);
    const made = command('init', '--name', 'other.example');
    assert.equal(made.status, 0, made.text);
    assert.match(made.text, /other\.example\+[0-9a-f]{8}\+/);
    rmSync(`${other}/witness-data`, { recursive: true });
    for (const words of [['run'], ['init']]) {
      const refused = command(...words);
      assert.equal(refused.status, 78, refused.text);
      assert.match(refused.text, /WITNESS_MISSING: If this witness is new/);
    }
    writeFileSync(`${other}/witness.yaml`, 'name: other.example\npath: ./d\nlog: []\nlogs: [{ vkeys: [nonsense] }]\n');
    const wrong = command('run');
    assert.equal(wrong.status, 78);
    assert.match(wrong.text, /witness\.yaml:3:1 log: unknown key; did you mean logs\?/);
    rmSync(other, { recursive: true });
  });
});

test('with TLS it speaks to whom its authority signed, and to nobody else', async () => {
  const authority = await makeAuthority('witness test');
  const server = await authority.issue('witness', [{ type: 'ip', value: '127.0.0.1' }]);
  const client = await authority.issue('log', [{ type: 'dns', value: 'log.example' }]);
  const home = mkdtempSync(`${tmpdir()}/waybill-witness-`);
  for (const [name, pem] of Object.entries({ 'c.pem': server.certificate, 'k.pem': server.key, 'ca.pem': authority.certificate })) {
    writeFileSync(`${home}/${name}`, pem);
  }
  const at = await freePort();
  const tls = 'tls: { cert: ./c.pem, key: ./k.pem, client_ca: ./ca.pem }';
  const made = initWitness(
    home,
    `name: tls.example\nlisten: 127.0.0.1:${at}\n${tls}\npath: ./d\nlogs: [{ vkeys: ["${key.verifierKey}"] }]\n`,
  );
  const child = spawn(process.execPath, [MAIN, 'witness', 'run', '-c', made.file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const asked = async (identity: { readonly cert?: string; readonly key?: string }): Promise<number | string> => {
    const body = await log.request({ from: 0, to: 9, signers: [key] });
    return new Promise((resolve) => {
      const options = { method: 'POST', ca: authority.certificate, agent: false, ...identity } as const;
      const sending = secureRequest(`https://127.0.0.1:${at}/add-checkpoint`, options, (answer) => resolve(answer.statusCode ?? 0));
      sending.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      sending.end(body);
    });
  };
  try {
    await until('the witness to listen', () => said.includes('listening'));
    assert.equal(await asked({ cert: client.certificate, key: client.key }), 200);
    assert.equal(typeof (await asked({})), 'string', 'without a certificate there is no answer');
    assert.match(await fetch(`http://127.0.0.1:${at}/livez`).then(String, () => 'no answer'), /no answer/);
  } finally {
    child.kill('SIGKILL');
    rmSync(home, { recursive: true });
  }
});

function text(body: Uint8Array): string {
  return Buffer.from(body).toString();
}

/** The first request with the signature of the second. */
function mixed(first: Buffer, second: Buffer): string {
  return text(first).replace(/\u2014 .*\n$/, /\u2014 .*\n$/.exec(text(second))?.[0] ?? '');
}

/** A body without a length that never ends. */
function endless(): Promise<number | 'cut off'> {
  return new Promise((resolve) => {
    const sending = request(`${witness.url}/add-checkpoint`, { method: 'POST' }, (answer) => {
      resolve(answer.statusCode ?? 0);
      answer.resume();
      sending.destroy();
    });
    sending.on('error', () => resolve('cut off'));
    const more = (): void => void sending.write(Buffer.alloc(65_536, 'x'), () => !sending.destroyed && more());
    more();
  });
}
