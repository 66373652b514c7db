import { fdatasync, fsync, ftruncate, write } from 'node:fs';
import { promisify } from 'node:util';
import { errnoOf } from './disk-error.ts';
import { OPERATION, type Operation, STEP } from './disk-ring.ts';
import type { DiskAnswer, DiskChanges } from './disk-writer.ts';

const writeTo = promisify(write);
const flushData = promisify(fdatasync);
const flushAll = promisify(fsync);
const cut = promisify(ftruncate);

/** Changes files through the thread pool, one request after another: it takes no thread of its own, and longer for each request. */
export class DiskPool implements DiskChanges {
  #turn: Promise<unknown> = Promise.resolve();

  submit(operation: Operation, descriptor: number, bytes: Uint8Array | null, at: number): Promise<DiskAnswer> {
    const mine = this.#turn.then(() => perform(operation, descriptor, bytes ?? new Uint8Array(0), at));
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async close(): Promise<void> {
    await this.#turn;
  }
}

async function perform(operation: Operation, descriptor: number, bytes: Uint8Array, at: number): Promise<DiskAnswer> {
  let failedStep: number = STEP.none;
  try {
    if (operation === OPERATION.write || operation === OPERATION.commit || operation === OPERATION.commitAll) {
      failedStep = STEP.write;
      await writeAll(descriptor, bytes, at);
    }
    if (operation === OPERATION.truncate) {
      failedStep = STEP.truncate;
      await cut(descriptor, at);
    }
    if (operation !== OPERATION.write && operation !== OPERATION.truncate) {
      failedStep = STEP.flush;
      await (operation === OPERATION.commit ? flushData(descriptor) : flushAll(descriptor));
    }
    return { failedStep: STEP.none, errno: 0 };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    return { failedStep, errno };
  }
}

/** The operating system may take only a part, near a full disk for example. The rest is tried until it says why not. */
async function writeAll(descriptor: number, bytes: Uint8Array, at: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await writeTo(descriptor, bytes, written, bytes.length - written, at + written);
    written += bytesWritten;
  }
}
