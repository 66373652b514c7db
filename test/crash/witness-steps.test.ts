import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { openNote, parseNote } from '../../src/tlog/note.ts';
import { createWitness, openWitness, type Witness } from '../../src/witness/witness.ts';
import { checkEd25519, noteSigner } from '../doubles/note-signer.ts';
import { TestLog } from '../doubles/test-log.ts';
import { createChance } from '../sim/chance.ts';
import { type Ending, StepDisk } from './step-disk.ts';

const ORIGIN = 'example.com/log';
const PARTS = 6;
const own = noteSigner('witness.example', 9, 4);
const key = noteSigner(ORIGIN, 1);
/** A log that shows two histories, which are the same up to `PARTS`. */
const histories = [new TestLog(ORIGIN, 16), new TestLog(ORIGIN, 16, PARTS)] as const;

/** One life of the witness on this disk: it is asked for steps of both histories in turn. What it answers is in `shown`. */
async function live(disk: StepDisk, shown: string[], turns: number): Promise<'done' | 'ended'> {
  const ended = Promise.withResolvers<'ended'>();
  disk.onEnd = () => ended.resolve('ended');
  const work = async (): Promise<'done'> => {
    const ports = {
      disk: disk.start(),
      clock: { now: () => 1_700_000_000_000, monotonic: () => 0, sleep: async () => {} },
      log: { info: () => {}, warn: () => {}, error: () => {} },
    };
    const signer = { verifierKey: own.verifierKey, sign: async (message: Uint8Array) => own.signBytes(message) };
    await createWitness({ directory: '/w', name: own.key.name, ports });
    const witness = await openWitness({ directory: '/w', signer, logs: [{ origin: ORIGIN, keys: [key.key] }], ports });
    for (let turn = 0; turn < turns; turn += 1) {
      await step(witness, histories[turn % 2] ?? histories[0], shown);
    }
    await witness.close();
    return 'done';
  };
  return Promise.race([work(), ended.promise]);
}

/** Asks as an honest client of this history would: first where the witness is, then for three entries more. */
async function step(witness: Witness, history: TestLog, shown: string[]): Promise<void> {
  const first = await witness.add(await history.request({ from: 0, to: 1, signers: [key] }));
  const from = first.kind === 'conflict' ? first.size : 1;
  if (first.kind === 'signed') shown.push((await history.checkpoint(1, [])) + first.line);
  const to = Math.min(16, from + 3);
  const answer = await witness.add(await history.request({ from, to, signers: [key] }));
  if (answer.kind === 'signed') shown.push((await history.checkpoint(to, [])) + answer.line);
}

/** Every head that was shown to somebody is one of the same history. */
async function assertOneHistory(shown: readonly string[], what: string): Promise<void> {
  const heads = shown.map((note) => {
    const parsed = parseNote(Buffer.from(note));
    openNote(parsed, [own.key], checkEd25519);
    return parseCheckpoint(parsed.text);
  });
  const holds = await Promise.all(
    histories.map(async (history) => {
      const own = await Promise.all(heads.map(async ({ size, root }) => (await history.head(size)).root === root));
      return own.every(Boolean);
    }),
  );
  assert.ok(holds.includes(true), `${what}: two histories were signed: ${heads.map(({ size }) => size).join(' ')}`);
  assert.deepEqual(
    heads.map(({ size }) => size),
    heads.map(({ size }) => size).toSorted((a, b) => a - b),
    `${what}: a smaller head was signed after a larger one`,
  );
}

test('the process or the power ends at every disk operation: two histories are never signed', async () => {
  let lives = 0;
  for (const ending of ['kill', 'power'] satisfies Ending[]) {
    for (let seed = 1; seed <= 4; seed += 1) {
      for (let endAt = 1; ; endAt += 1) {
        const disk = new StepDisk(createChance(seed * 1_000 + endAt, 'witness'));
        const shown: string[] = [];
        disk.endAt = endAt;
        const first = await live(disk, shown, 4);
        if (first === 'done') break;
        disk.end(ending);
        // Twice more: what was written in the life after a crash has to last as well.
        for (const more of [3, 2]) {
          assert.equal(await live(disk, shown, more), 'done');
          disk.end(ending);
          lives += 1;
        }
        await assertOneHistory(shown, `${ending} at operation ${endAt}, seed ${seed}`);
        assert.ok(shown.length >= 2, 'it goes on signing');
      }
    }
  }
  assert.ok(lives > 200, `only ${lives} lives`);
});
