import assert from 'node:assert/strict';
import { createPublicKey, hash, verify } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { formatVerifierKey, parseVerifierKey } from '../../src/tlog/key.ts';
import { openNote, parseNote } from '../../src/tlog/note.ts';
import { parsePolicy } from '../../src/tlog/policy.ts';
import { initWaybill, startWaybill, until, type WaybillProcess } from '../crash/process.ts';
import { initWitness, startWitness, type WitnessProcess } from '../crash/witness-process.ts';

interface Heads {
  readonly published: { readonly size: number } | null;
  readonly fault: { readonly code: string } | null;
  readonly witnesses: readonly { readonly size: number | null; readonly fault: { readonly code: string } | null }[];
}

const sha256 = (input: Uint8Array): string => hash('sha256', input, 'binary');

/** A log with a required witness, both of them real processes. */
async function made(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-witnesses-'));
  const [port, witnessPort] = [await freePort(), await freePort()];
  const witnessDirectory = mkdtempSync(join(tmpdir(), 'waybill-witness-of-'));
  const running: { end(signal: NodeJS.Signals): Promise<unknown> }[] = [];
  t.after(async () => {
    for (const process_ of running) await process_.end('SIGKILL');
    for (const path of [directory, witnessDirectory]) rmSync(path, { recursive: true, force: true });
  });
  // The log does not know the witness yet, nor the witness the log: keys first.
  const yaml = (witness: string): string => `ledger: { origin: witnessed.example/audit, path: ./data${witness} }
api: { listen: "127.0.0.1:${port}" }
sources: { app: { type: http, schema: json } }
destinations: { out: { type: file, path: ./out.ndjson, start: beginning } }
`;
  initWaybill(directory, yaml(''));
  const { verifierKey } = initWitness(
    witnessDirectory,
    `name: witness.example
listen: 127.0.0.1:${witnessPort}
path: ./state
logs: [{ vkeys: ["\${file:${directory}/keys/log.vkey}"] }]
`,
  );
  const settings = `{ name: w, vkey: "${verifierKey}", url: "http://127.0.0.1:${witnessPort}", required: true }`;
  const file = initWaybill(directory, yaml(`, witnesses: [${settings}]`));
  const start = async (): Promise<WaybillProcess> => {
    const log = await startWaybill(file, port);
    running.push(log);
    return log;
  };
  const startWitnessAgain = async (): Promise<WitnessProcess> => {
    const witness = await startWitness(`${witnessDirectory}/witness.yaml`, witnessPort);
    running.push(witness);
    return witness;
  };
  return { directory, verifierKey, start, startWitness: startWitnessAgain };
}

async function send({ url }: WaybillProcess, count: number): Promise<number> {
  const body = JSON.stringify(Array.from({ length: count }, (_, k) => ({ k })));
  const answer = await fetch(`${url}/v1/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { size } = (await answer.json()) as { readonly size: number };
  assert.equal(answer.status, 200);
  return size;
}

async function heads({ url }: WaybillProcess): Promise<Heads> {
  const { ledger } = (await (await fetch(`${url}/v1/status`)).json()) as { readonly ledger: { readonly heads: Heads } };
  return ledger.heads;
}

async function published(log: WaybillProcess, size: number): Promise<void> {
  await until(`a head over ${size} entries`, async () => ((await heads(log)).published?.size ?? 0) >= size);
}

/** Whether the checkpoint that everybody sees has a right line of this key. */
async function isCosigned({ url }: WaybillProcess, verifierKey: string): Promise<boolean> {
  const note = parseNote(new Uint8Array(await (await fetch(`${url}/tlog/checkpoint`)).arrayBuffer()));
  const lines = openNote(note, [parseVerifierKey(sha256, verifierKey)], (publicKey, message, signature) => {
    const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]);
    return verify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
  });
  return lines.length === 1 && lines[0]?.time !== null;
}

test('a required witness signs every head; without it events are taken and delivered, and heads wait', async (t) => {
  const { start, startWitness: startIt, verifierKey } = await made(t);
  const witness = await startIt();
  const log = await start();
  await published(log, await send(log, 300));
  await published(log, await send(log, 20));
  assert.ok(await isCosigned(log, verifierKey));
  // Whoever copies the log learns which heads it publishes.
  const { policy } = (await (await fetch(`${log.url}/tlog/log.json`)).json()) as { readonly policy: string };
  const { witnesses, quorum } = parsePolicy(sha256, policy);
  assert.deepEqual([witnesses.map(({ key }) => formatVerifierKey(key)), quorum], [[verifierKey], 'REQUIRED']);
  await witness.end('SIGKILL');
  const before = (await heads(log)).published?.size;
  const size = await send(log, 50);
  await until('the fault to be told', async () => (await heads(log)).fault?.code === 'HEAD_UNWITNESSED');
  assert.equal((await heads(log)).witnesses[0]?.fault?.code, 'WITNESS_UNREACHABLE');
  await until('delivery to go on', async () => {
    const { destinations } = (await (await fetch(`${log.url}/v1/status`)).json()) as {
      readonly destinations: Readonly<Record<string, { readonly cursor: number }>>;
    };
    return (destinations['out']?.cursor ?? 0) >= size;
  });
  assert.equal((await heads(log)).published?.size, before);
  // What was published before is published after a restart too, while what was signed since waits.
  assert.equal(await log.end('SIGTERM'), 0, log.log());
  const again = await start();
  await published(again, before ?? 0);
  assert.equal((await heads(again)).published?.size, before);
  await startIt();
  await published(again, size);
  assert.ok(await isCosigned(again, verifierKey));
});

test('an older copy of the ledger is refused at the start, because the witness knows more', async (t) => {
  const { directory, start, startWitness: startIt } = await made(t);
  await startIt();
  const log = await start();
  await published(log, await send(log, 100));
  assert.equal(await log.end('SIGTERM'), 0);
  cpSync(join(directory, 'data'), join(directory, 'copy'), { recursive: true });
  const more = await start();
  await published(more, await send(more, 60));
  await more.end('SIGTERM');
  rmSync(join(directory, 'data'), { recursive: true });
  rmSync(join(directory, 'out.ndjson'));
  cpSync(join(directory, 'copy'), join(directory, 'data'), { recursive: true });
  await assert.rejects(start(), /the witness w has signed a head over 1\d\d entries, and the ledger has 1\d\d[\s\S]*LEDGER_REWOUND/);
});

test('a second history under the same key is not signed: its heads stop, loudly, and its next start is refused', async (t) => {
  const { directory, start, startWitness: startIt, verifierKey } = await made(t);
  let witness = await startIt();
  const log = await start();
  await published(log, await send(log, 100));
  assert.equal(await log.end('SIGTERM'), 0);
  cpSync(join(directory, 'data'), join(directory, 'copy'), { recursive: true });
  const first = await start();
  await published(first, await send(first, 30));
  assert.ok(await isCosigned(first, verifierKey));
  await first.end('SIGTERM');
  await witness.end('SIGTERM');
  // The copy goes its own way while the witness is away.
  rmSync(join(directory, 'data'), { recursive: true });
  rmSync(join(directory, 'out.ndjson'));
  cpSync(join(directory, 'copy'), join(directory, 'data'), { recursive: true });
  const second = await start();
  const before = (await heads(second)).published?.size ?? 0;
  for (let k = 0; k < 5; k++) await send(second, 40);
  await until('a head that waits', async () => (await heads(second)).fault?.code === 'HEAD_UNWITNESSED');
  witness = await startIt();
  await until('the conflict to be told', async () => (await heads(second)).fault?.code === 'WITNESS_CONFLICT');
  assert.ok(((await heads(second)).published?.size ?? 0) <= Math.max(before, 101));
  assert.match(second.log(), /"level":"error"[^\n]*WITNESS_CONFLICT|WITNESS_CONFLICT/);
  await send(second, 1);
  assert.equal(await second.end('SIGTERM'), 0);
  await assert.rejects(start(), /the witness w has signed a head over \d+ entries that these do not continue[\s\S]*LEDGER_REWOUND/);
  await witness.end('SIGTERM');
});
