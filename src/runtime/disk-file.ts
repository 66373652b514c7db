import { close, fstat, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { assert } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { DiskFile } from '../contracts/ports.ts';
import { diskError } from './disk-error.ts';
import { OPERATION, type Operation, STEP } from './disk-ring.ts';
import type { DiskAnswer, DiskWriter } from './disk-writer.ts';

const readFrom = promisify(read);
const statOf = promisify(fstat);
const closeDescriptor = promisify(close);

/** What an error calls the step that failed. */
const VERBS: Readonly<Record<number, string>> = { [STEP.write]: 'write to', [STEP.flush]: 'flush', [STEP.truncate]: 'truncate' };

interface Reading {
  readonly at: number;
  readonly end: number;
  settled: Promise<unknown>;
}

/**
 * An open file. What changes it goes to the disk thread, which keeps the order; reads go to the thread pool beside it.
 * A read waits for the changes that were asked for before it. A change waits for an earlier read only where the two touch.
 */
export class RealDiskFile implements DiskFile {
  readonly #descriptor: number;
  readonly #path: string;
  readonly #writer: () => DiskWriter;
  readonly #readings = new Set<Reading>();
  /** Settles with the last change that was asked for; `null` when none is under way. */
  #lastChange: Promise<void> | null = null;
  /** Settles when a change that had to wait for a read has been handed to the disk thread; later changes queue behind it. */
  #gate: Promise<void> | null = null;
  #lost: WaybillError | null = null;
  #shrunk = false;
  #closed = false;

  constructor(descriptor: number, path: string, writer: () => DiskWriter) {
    this.#descriptor = descriptor;
    this.#path = path;
    this.#writer = writer;
  }

  async length(): Promise<number> {
    this.#assertOpen();
    await this.#lastChange;
    try {
      return (await statOf(this.#descriptor)).size;
    } catch (error) {
      throw diskError('measure', this.#path, error);
    }
  }

  read(at: number, length: number): Promise<Uint8Array> {
    this.#assertOpen();
    const bytes = this.#lastChange === null ? this.#readRange(at, length) : this.#lastChange.then(() => this.#readRange(at, length));
    const reading: Reading = { at, end: at + length, settled: bytes };
    const forget = (): void => void this.#readings.delete(reading);
    reading.settled = bytes.then(forget, forget);
    this.#readings.add(reading);
    return bytes;
  }

  readNow(into: Uint8Array, at: number): number {
    this.#assertOpen();
    let filled = 0;
    try {
      while (filled < into.length) {
        const count = readSync(this.#descriptor, into, filled, into.length - filled, at + filled);
        if (count === 0) break;
        filled += count;
      }
    } catch (error) {
      throw diskError('read', this.#path, error);
    }
    return filled;
  }

  write(bytes: Uint8Array, at: number): Promise<void> {
    return this.#change(OPERATION.write, bytes, at, at + bytes.length);
  }

  sync(): Promise<void> {
    return this.#change(OPERATION.sync, null, 0, 0);
  }

  commit(bytes: Uint8Array, at: number): Promise<void> {
    return this.#change(OPERATION.commit, bytes, at, at + bytes.length);
  }

  truncate(length: number): Promise<void> {
    return this.#change(OPERATION.truncate, null, length, Number.POSITIVE_INFINITY);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([this.#lastChange, ...[...this.#readings].map((reading) => reading.settled)]);
    try {
      await closeDescriptor(this.#descriptor);
    } catch (error) {
      throw diskError('close', this.#path, error);
    }
  }

  #assertOpen(): void {
    assert(!this.#closed, `${this.#path} was used after it was closed`);
  }

  /** Puts a change of the bytes `at … end` in its turn. */
  #change(operation: Operation, bytes: Uint8Array | null, at: number, end: number): Promise<void> {
    this.#assertOpen();
    const touched = [...this.#readings].filter((reading) => reading.at < end && at < reading.end);
    const direct = this.#gate === null && touched.length === 0;
    const done = direct ? this.#submit(operation, bytes, at) : this.#submitAfter(touched, operation, bytes, at);
    const forget = (): void => {
      if (this.#lastChange === settled) this.#lastChange = null;
    };
    const settled: Promise<void> = done.then(forget, forget);
    this.#lastChange = settled;
    return done;
  }

  #submitAfter(touched: readonly Reading[], operation: Operation, bytes: Uint8Array | null, at: number): Promise<void> {
    const turn = Promise.all([this.#gate, ...touched.map((reading) => reading.settled)]).then(() => {});
    this.#gate = turn;
    const done = turn.then(() => this.#submit(operation, bytes, at));
    // This follows the line above, so that the gate opens only after the change has been handed over.
    void turn.then(() => {
      if (this.#gate === turn) this.#gate = null;
    });
    return done;
  }

  /** Hands a change to the disk thread and turns its answer into an operating error. */
  async #submit(operation: Operation, bytes: Uint8Array | null, at: number): Promise<void> {
    if (this.#lost !== null) throw this.#lost;
    // A flush of the data alone may leave a smaller length behind.
    const complete = operation === OPERATION.commit && this.#shrunk ? OPERATION.commitAll : operation;
    if (operation === OPERATION.truncate) this.#shrunk = true;
    else if (operation !== OPERATION.write) this.#shrunk = false;
    const { failedStep, errno } = await this.#answer(complete, bytes, at);
    if (failedStep === STEP.none) return;
    const verb = VERBS[failedStep] ?? 'change';
    const error = diskError(verb, this.#path, Object.assign(new Error(verb), { errno }));
    if (failedStep === STEP.flush) this.#lose(error);
    throw error;
  }

  async #answer(operation: Operation, bytes: Uint8Array | null, at: number): Promise<DiskAnswer> {
    try {
      return await this.#writer().submit(operation, this.#descriptor, bytes, at);
    } catch (error) {
      throw diskError('change', this.#path, error);
    }
  }

  /** After a failed flush the kernel may have dropped the bytes and may call the next flush a success: nothing is written here any more. */
  #lose(cause: WaybillError): void {
    const message = `cannot write to ${this.#path}: an earlier flush failed, so that its content is uncertain until it is opened again`;
    this.#lost = new WaybillError('DISK_FAILED', message, { cause, facts: { path: this.#path } });
  }

  async #readRange(at: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    let filled = 0;
    try {
      while (filled < length) {
        const { bytesRead } = await readFrom(this.#descriptor, bytes, filled, length - filled, at + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
    } catch (error) {
      throw diskError('read', this.#path, error);
    }
    return filled === length ? bytes : bytes.subarray(0, filled);
  }
}
