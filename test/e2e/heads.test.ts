import assert from 'node:assert/strict';
import { createPublicKey, hash, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { encodeHash } from '../../src/tlog/hash.ts';
import { parseVerifierKey } from '../../src/tlog/key.ts';
import { openNote, parseNote } from '../../src/tlog/note.ts';
import { initWaybill, startWaybill, until, type WaybillProcess } from '../crash/process.ts';

interface Head {
  readonly size: number;
  readonly root: string;
}

const sha256 = (input: Uint8Array): string => hash('sha256', input, 'binary');

/** A ledger with keys, and how its process is started. */
async function made(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-heads-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const file = initWaybill(
    directory,
    `ledger: { origin: heads.example/audit, path: ./data }
api: { listen: "127.0.0.1:${port}" }
sources: { app: { type: http, schema: json } }
`,
  );
  const start = async (): Promise<WaybillProcess> => {
    const running = await startWaybill(file, port);
    t.after(() => running.end('SIGKILL'));
    return running;
  };
  return { directory, start };
}

async function send({ url }: WaybillProcess, count: number): Promise<void> {
  const body = JSON.stringify(Array.from({ length: count }, (_, k) => ({ k })));
  const answer = await fetch(`${url}/v1/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  assert.equal(answer.status, 200, await answer.text());
}

interface Status {
  readonly ledger: { readonly durable: number; readonly heads: { readonly published: Head | null } };
}

/** The published head once it covers everything that is durable. */
async function sealed({ url }: WaybillProcess): Promise<Head> {
  let head: Head | null = null;
  await until('a head over everything', async () => {
    const { ledger } = (await (await fetch(`${url}/v1/status`)).json()) as Status;
    head = ledger.heads.published;
    return head !== null && head.size === ledger.durable;
  });
  return head ?? assert.fail();
}

/** The root over the first entries, by the definition of RFC 6962 and none of the product's code. */
async function rootOf({ url }: WaybillProcess, size: number): Promise<string> {
  const text = await (await fetch(`${url}/v1/entries?from=0&limit=${size}`)).text();
  const leaves = text
    .split('\n')
    .slice(0, size)
    .map((line) => sha256(Buffer.concat([Buffer.of(0), Buffer.from(line.slice(line.indexOf('"entry":') + 8, -1))])));
  const root = (from: number, end: number): string => {
    if (end - from === 1) return leaves[from] ?? assert.fail();
    let left = 1;
    while (left * 2 < end - from) left *= 2;
    return sha256(Buffer.concat([Buffer.of(1), Buffer.from(root(from, from + left) + root(from + left, end), 'latin1')]));
  };
  return encodeHash(root(0, size));
}

/** The head that the ledger's own files hold, by its verifier key alone. */
function recorded(directory: string): Head {
  const segments = readFileSync(join(directory, 'data/segments/00000000000000000000.seg')).toString('latin1');
  const key = parseVerifierKey(sha256, readFileSync(join(directory, 'keys/log.vkey'), 'utf8').trim());
  const records = [...segments.matchAll(/\["set","tree\.head",("(?:[^"\\]|\\.)*")\]/g)].map(
    ([, value = '']) => JSON.parse(value) as string,
  );
  const { checkpoint } = JSON.parse(Buffer.from(records.at(-1) ?? '', 'latin1').toString('utf8')) as { readonly checkpoint: string };
  const note = parseNote(Buffer.from(checkpoint));
  const lines = openNote(note, [key], (publicKey, message, signature) => {
    const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]);
    return verify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
  });
  assert.equal(lines.length, 1);
  const { origin, size, root } = parseCheckpoint(note.text);
  assert.equal(origin, 'heads.example/audit');
  return { size, root: encodeHash(root) };
}

test('the head of a running process covers what is durable, is signed, and is the root of exactly these entries', async (t) => {
  const { directory, start } = await made(t);
  const first = await start();
  await send(first, 300);
  await send(first, 41);
  const head = await sealed(first);
  assert.deepEqual([head.size, head.root], [341, await rootOf(first, 341)]);
  await send(first, 1);
  assert.equal(await first.end('SIGTERM'), 0, first.log());
  // A stop leaves nothing without a head.
  assert.equal(recorded(directory).size, 342);
  assert.match(first.log(), /heads\.example\/audit\+[0-9a-f]{8}\+/);
});

test('kill -9 at any moment never makes two roots of one size, and the next start goes on from the recorded head', async (t) => {
  const { directory, start } = await made(t);
  const roots = new Map<number, string>();
  for (let life = 0; life < 4; life++) {
    const running = await start();
    const loading = (async () => {
      for (let k = 0; k < 40; k++) await send(running, 20 + k).catch(() => {});
    })();
    await new Promise((resolve) => setTimeout(resolve, 150 + 170 * life));
    await running.end('SIGKILL');
    await loading;
    const head = recorded(directory);
    assert.equal(roots.get(head.size) ?? head.root, head.root);
    roots.set(head.size, head.root);
  }
  const last = await start();
  await sealed(last);
  for (const [size, root] of roots) if (size > 0) assert.equal(root, await rootOf(last, size), `the head over ${size} entries`);
});
