import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StepDisk } from '../../test/crash/step-disk.ts';
import { checkEd25519, noteSigner, sha256 } from '../../test/doubles/note-signer.ts';
import { TestLog } from '../../test/doubles/test-log.ts';
import { createChance } from '../../test/sim/chance.ts';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Disk } from '../contracts/ports.ts';
import { openNote, parseNote } from '../tlog/note.ts';
import { decodeState, encodeState, stateFile } from './state-file.ts';
import { createWitness, openWitness, type Witness } from './witness.ts';

const ORIGIN = 'example.com/log';
const DIRECTORY = '/witness';
const own = noteSigner('witness.example', 9, 4);
const key = noteSigner(ORIGIN, 1);
const log = new TestLog(ORIGIN, 30);
const branch = new TestLog(ORIGIN, 30, 12);

class World {
  readonly stepDisk = new StepDisk(createChance(3, 'witness'));
  readonly warnings: string[] = [];
  disk: Disk = this.stepDisk.start();
  now = 1_700_000_000_000;

  async open(name = own, origins: readonly string[] = [ORIGIN]): Promise<Witness> {
    const note = (message: string, facts: unknown): void => void this.warnings.push(`${message} ${JSON.stringify(facts)}`);
    const ports = {
      disk: this.disk,
      clock: { now: () => this.now, monotonic: () => 0, sleep: async () => {} },
      log: { info: note, warn: note, error: note },
    };
    const signer = { verifierKey: name.verifierKey, sign: async (message: Uint8Array) => name.signBytes(message) };
    return openWitness({ directory: DIRECTORY, signer, logs: origins.map((origin) => ({ origin, keys: [key.key] })), ports });
  }

  async create(name = 'witness.example'): Promise<boolean> {
    return createWitness({ directory: DIRECTORY, name, ports: { disk: this.disk } });
  }
}

async function signed(witness: Witness, from: number, to: number, of = log): Promise<string> {
  const answer = await witness.add(await of.request({ from, to, signers: [key] }));
  return answer.kind === 'conflict' ? `409 ${answer.size}` : answer.kind === 'refused' ? String(answer.status) : answer.kind;
}

describe('a witness', () => {
  test('signs what continues what it signed, and remembers it', async () => {
    const world = new World();
    assert.equal(await world.create(), true);
    assert.equal(await world.create(), false);
    const first = await world.open();
    assert.equal(await signed(first, 0, 5), 'signed');
    assert.equal(await signed(first, 5, 5), 'signed');
    assert.equal(await signed(first, 5, 15), 'signed');
    assert.equal(await signed(first, 5, 20), '409 15');
    await first.close();
    const second = await world.open();
    assert.equal(await signed(second, 0, 5), '409 15');
    assert.equal(await signed(second, 15, 20, branch), '422');
    assert.equal(await signed(second, 15, 20), 'signed');
    assert.equal(world.warnings.length, 1);
    assert.match(world.warnings[0] ?? '', /was not shown to continue.*"size":20.*example\.com/);
    await second.close();
  });

  test('its line is a cosignature of the note with the time, and the note that it keeps has both', async () => {
    const world = new World();
    await world.create();
    const witness = await world.open();
    const answer = await witness.add(await log.request({ from: 0, to: 7, signers: [noteSigner('x.example', 5), key] }));
    assert.equal(answer.kind, 'signed');
    const checkpoint = await log.checkpoint(7, [key]);
    const whole = parseNote(Buffer.from(checkpoint + (answer.kind === 'signed' ? answer.line : '')));
    assert.deepEqual(openNote(whole, [own.key, key.key], checkEd25519), [
      { key: key.key, time: null },
      { key: own.key, time: 1_700_000_000 },
    ]);
    const kept = witness.checkpoint(Buffer.from(sha256(Buffer.from(ORIGIN)), 'latin1').toString('hex'));
    assert.equal(kept, checkpoint + (answer.kind === 'signed' ? answer.line : ''));
    assert.equal(witness.checkpoint('0'.repeat(64)), null);
    assert.equal(witness.checkpoint('constructor'), null);
    await witness.close();
  });

  test('the time is that of the clock, also when it was set back', async () => {
    const world = new World();
    await world.create();
    const witness = await world.open();
    await signed(witness, 0, 3);
    world.now -= 3_600_000;
    const answer = await witness.add(await log.request({ from: 3, to: 4, signers: [key] }));
    const note = parseNote(Buffer.from((await log.checkpoint(4, [key])) + (answer.kind === 'signed' ? answer.line : '')));
    assert.equal(openNote(note, [own.key], checkEd25519)[0]?.time, 1_700_000_000 - 3_600);
    await witness.close();
  });

  test('the same head in the same second is signed again without a write', async () => {
    const world = new World();
    await world.create();
    const witness = await world.open();
    await signed(witness, 0, 5);
    const { steps } = world.stepDisk;
    for (let k = 0; k < 20; k += 1) assert.equal(await signed(witness, 5, 5), 'signed');
    assert.equal(world.stepDisk.steps, steps);
    world.now += 1_000;
    assert.equal(await signed(witness, 5, 5), 'signed');
    assert.ok(world.stepDisk.steps > steps, 'a newer time is kept');
    await witness.close();
  });

  test('of requests at the same time one wins, and the others are told its size', async () => {
    const world = new World();
    await world.create();
    const witness = await world.open();
    await signed(witness, 0, 10);
    const requests = [11, 25, 15, 30].flatMap((to) => [signed(witness, 10, to), signed(witness, 10, to, branch)]);
    const answers = await Promise.all(requests);
    assert.equal(answers.filter((answer) => answer === 'signed').length, 1);
    assert.equal(answers.filter((answer) => answer === '409 11').length, answers.length - 1);
    await witness.close();
  });

  test('refuses the state of another witness, a damaged one, and none', async () => {
    const world = new World();
    const codeOf = (promise: Promise<unknown>): Promise<string> =>
      promise.then(
        () => 'opened',
        (error: unknown) => (isWaybillError(error) ? error.code : String(error)),
      );
    assert.equal(await codeOf(world.open()), 'WITNESS_MISSING');
    await world.create();
    assert.equal(await codeOf(world.open(noteSigner('other.example', 9, 4))), 'WITNESS_INVALID');
    const path = stateFile(DIRECTORY);
    const text = world.stepDisk.textOf(path);
    for (let at = 0; at < text.length; at += 7) {
      world.stepDisk.flip(path, at, 1);
      assert.equal(await codeOf(world.open()), 'WITNESS_INVALID', `byte ${at}`);
      world.stepDisk.flip(path, at, 1);
    }
    world.stepDisk.cut(path, text.length - 1);
    assert.equal(await codeOf(world.open()), 'WITNESS_INVALID');
    world.stepDisk.lose(path);
    assert.equal(await codeOf(world.open()), 'WITNESS_MISSING');
  });

  test('a log that is no longer watched is not forgotten', async () => {
    const world = new World();
    await world.create();
    const first = await world.open();
    await signed(first, 0, 15);
    await first.close();
    const without = await world.open(own, ['another.example/log']);
    assert.equal(await signed(without, 15, 20), '404');
    assert.equal(
      (
        await without.add(
          await new TestLog('another.example/log', 3).request({ from: 0, to: 3, signers: [noteSigner('another.example/log', 1)] }),
        )
      ).kind,
      'refused',
    );
    await without.close();
    const again = await world.open();
    assert.equal(await signed(again, 0, 5, branch), '409 15');
    await again.close();
  });

  test('no space is for now; a write that fails is for good', async () => {
    const world = new World();
    await world.create();
    const witness = await world.open();
    world.stepDisk.full = true;
    assert.equal(await signed(witness, 0, 5), 'unavailable');
    world.stepDisk.full = false;
    assert.equal(await signed(witness, 0, 6), 'signed');
    await witness.close();
  });

  test('what a write that did not end has left behind never counts', async () => {
    const world = new World();
    await world.create();
    world.stepDisk.put(`${stateFile(DIRECTORY)}.new`, 'x'.repeat(10_000));
    const witness = await world.open();
    assert.equal(await signed(witness, 0, 5), 'signed');
    await witness.close();
    const again = await world.open();
    assert.equal(await signed(again, 0, 1), '409 5');
    await again.close();
  });

  test('a write that fails is for good, and nothing was shown to anybody', async () => {
    for (const broken of ['rename', 'syncDirectory', 'open'] as const) {
      const world = new World();
      await world.create();
      const before = await world.open();
      assert.equal(await signed(before, 0, 6), 'signed');
      await before.close();
      const good = world.disk;
      const fails = (): Promise<never> => Promise.reject(new WaybillError('DISK_FAILED', 'the disk is gone'));
      const disk: Disk = { ...good };
      world.disk = disk;
      const failing = await world.open();
      Object.assign(disk, { [broken]: fails });
      assert.equal(await signed(failing, 6, 9), 'unavailable', broken);
      const failure = await failing.failed;
      assert.equal(isWaybillError(failure) && failure.code, 'DISK_FAILED');
      // Also where the disk is there again: nobody knows what it holds.
      Object.assign(disk, good);
      assert.equal(await signed(failing, 6, 9), 'unavailable', broken);
      await failing.close();
      // Whether the disk has it is only found out by a start.
      world.disk = good;
      const after = await world.open();
      assert.equal(await signed(after, 0, 1), broken === 'syncDirectory' ? '409 9' : '409 6');
      await after.close();
    }
  });
});

describe('the file of its state', () => {
  test('goes there and back', async () => {
    const note = await log.checkpoint(7, [key]);
    const heads = new Map([[ORIGIN, { checkpoint: await log.head(7), note }]]);
    const text = encodeState('witness.example', heads);
    assert.deepEqual(decodeState(text), { name: 'witness.example', heads });
    assert.equal(decodeState(''), null);
    assert.equal(decodeState('\n'), null);
    assert.equal(decodeState(`${text} `), null);
  });
});
