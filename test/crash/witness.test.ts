import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { noteSigner } from '../doubles/note-signer.ts';
import { TestLog } from '../doubles/test-log.ts';
import { initWitness, startWitness, type WitnessProcess } from './witness-process.ts';

const ORIGIN = 'example.com/log';
const ROUNDS = 12;
const SIZE = 4_000;
/** Up to here both histories are the same; from here on the witness has to stay with the one that it signed first. */
const PARTS = 40;
const key = noteSigner(ORIGIN, 1);
const histories = [new TestLog(ORIGIN, SIZE), new TestLog(ORIGIN, SIZE, PARTS)] as const;

test(`${ROUNDS} times kill -9 while two histories are asked for: one of them is signed, and nothing is forgotten`, async () => {
  const directory = mkdtempSync(`${tmpdir()}/waybill-witness-`);
  const port = await freePort();
  const { file } = initWitness(
    directory,
    `name: witness.example\nlisten: 127.0.0.1:${port}\npath: ./state\nlogs: [{ vkeys: ["${key.verifierKey}"] }]\n`,
  );
  let witness: WitnessProcess = await startWitness(file, port);
  /** The sizes that were signed, by history, in the order of the answers. */
  const signed = [new Set<number>(), new Set<number>()] as const;
  let largest = 0;
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      let alive = true;
      const clients = [0, 1, 0, 1].map(async (which) => {
        const history = histories[which] ?? histories[0];
        let from = 0;
        while (alive) {
          const to = Math.min(SIZE, from + 1 + Math.floor(Math.random() * 5));
          const body = await history.request({ from, to, signers: [key] });
          const reply = await witness.add(body).catch(() => null);
          if (reply === null) return;
          if (reply.status === 200) {
            signed[which]?.add(to);
            largest = Math.max(largest, to);
          }
          if (reply.status === 409) from = Number(reply.text);
          else if (reply.status === 200) from = to;
          else assert.equal(reply.status, 422, reply.text);
        }
      });
      const before = largest;
      while (largest < before + 30 && largest < SIZE) await new Promise((resolve) => setTimeout(resolve, 5));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
      await witness.end('SIGKILL');
      alive = false;
      await Promise.all(clients);
      witness = await startWitness(file, port);
      const reply = await witness.add(await histories[0].request({ from: SIZE, to: SIZE, signers: [key] }));
      assert.equal(reply.status, 409, reply.text);
      assert.ok(Number(reply.text) >= largest, `it remembers ${reply.text.trim()}, and has shown ${largest}`);
      largest = Number(reply.text);
    }
    const beyond = signed.map((sizes) => [...sizes].filter((size) => size > PARTS).length);
    assert.ok(beyond.includes(0), `both histories were signed: ${beyond.join(' and ')}`);
    assert.ok(Math.max(...beyond) > ROUNDS, 'there was load');
  } finally {
    await witness.end('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
});
