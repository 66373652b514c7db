import { close, fstat, fstatSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { assert } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { DiskFile } from '../contracts/ports.ts';
import { diskError } from './disk-error.ts';
import { OPERATION, type Operation, STEP } from './disk-ring.ts';
import type { DiskAnswer, DiskChanges } from './disk-writer.ts';

const readFrom = promisify(read);
const statOf = promisify(fstat);
const closeDescriptor = promisify(close);

/** What an error calls the step that failed. */
const VERBS: Readonly<Record<number, string>> = { [STEP.write]: 'write to', [STEP.flush]: 'flush', [STEP.truncate]: 'truncate' };

const NONE: readonly Pending[] = [];

/** A call that is under way, and the bytes `at … end` that it reads or changes. */
interface Pending {
  readonly at: number;
  readonly end: number;
  settled: Promise<void>;
}

/**
 * An open file. What changes it goes to one writer, which keeps the order; reads go to the thread pool beside it.
 * A read and a change wait for each other only where they touch: elsewhere nobody could tell which one came first.
 */
export class RealDiskFile implements DiskFile {
  readonly #descriptor: number;
  readonly #path: string;
  readonly #writer: () => DiskChanges;
  readonly #readings = new Set<Pending>();
  readonly #changes = new Set<Pending>();
  /** How long the file is at least once everything that was asked for is done: a change beyond it also changes what lies between. */
  #lengthMin: number;
  /** Settles when a change that had to wait for a read has been handed to the disk thread; later changes queue behind it. */
  #gate: Promise<void> | null = null;
  #lost: WaybillError | null = null;
  #shrunk = false;
  #closed = false;

  constructor(descriptor: number, path: string, length: number, writer: () => DiskChanges) {
    this.#descriptor = descriptor;
    this.#lengthMin = length;
    this.#path = path;
    this.#writer = writer;
  }

  length(): Promise<number> {
    this.#assertOpen();
    const length = this.#changes.size === 0 ? this.#measure() : settled(this.#changes).then(() => this.#measure());
    track(this.#readings, 0, Number.POSITIVE_INFINITY, length);
    return length;
  }

  read(at: number, length: number): Promise<Uint8Array> {
    this.#assertOpen();
    const touched = touching(this.#changes, at, at + length);
    const bytes = touched.length === 0 ? this.#readRange(at, length) : settled(touched).then(() => this.#readRange(at, length));
    track(this.#readings, at, at + length, bytes);
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
    return this.#change(OPERATION.write, bytes, at, this.#extend(at, bytes.length));
  }

  sync(): Promise<void> {
    return this.#change(OPERATION.sync, null, 0, { from: 0, to: 0 });
  }

  commit(bytes: Uint8Array, at: number): Promise<void> {
    return this.#change(OPERATION.commit, bytes, at, this.#extend(at, bytes.length));
  }

  truncate(length: number): Promise<void> {
    const from = Math.min(length, this.#lengthMin);
    this.#lengthMin = length;
    return this.#change(OPERATION.truncate, null, length, { from, to: Number.POSITIVE_INFINITY });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([settled(this.#changes), settled(this.#readings)]);
    try {
      await closeDescriptor(this.#descriptor);
    } catch (error) {
      throw diskError('close', this.#path, error);
    }
  }

  #assertOpen(): void {
    assert(!this.#closed, `${this.#path} was used after it was closed`);
  }

  /** The bytes that a write changes: behind the end of the file also those up to its beginning, which become zero. */
  #extend(at: number, length: number): { readonly from: number; readonly to: number } {
    if (length === 0) return { from: at, to: at };
    const from = Math.min(at, this.#lengthMin);
    this.#lengthMin = Math.max(this.#lengthMin, at + length);
    return { from, to: at + length };
  }

  /** Puts a change in its turn. */
  #change(operation: Operation, bytes: Uint8Array | null, at: number, { from, to }: { from: number; to: number }): Promise<void> {
    this.#assertOpen();
    const touched = touching(this.#readings, from, to);
    const direct = this.#gate === null && touched.length === 0;
    const done = direct ? this.#submit(operation, bytes, at) : this.#submitAfter(touched, operation, bytes, at);
    track(this.#changes, from, to, done);
    return done;
  }

  #submitAfter(touched: readonly Pending[], operation: Operation, bytes: Uint8Array | null, at: number): Promise<void> {
    const turn = Promise.all([this.#gate, settled(touched)]).then(() => {});
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
    this.#lengthMin = Math.min(this.#lengthMin, fstatSync(this.#descriptor).size);
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

  async #measure(): Promise<number> {
    try {
      return (await statOf(this.#descriptor)).size;
    } catch (error) {
      throw diskError('measure', this.#path, error);
    }
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

function touching(pending: ReadonlySet<Pending>, at: number, end: number): readonly Pending[] {
  if (pending.size === 0) return NONE;
  return [...pending].filter((call) => call.at < end && at < call.end);
}

/** Keeps a call in the set until it has settled. */
function track(pending: Set<Pending>, at: number, end: number, done: Promise<unknown>): void {
  const call: Pending = { at, end, settled: Promise.resolve() };
  const forget = (): void => void pending.delete(call);
  call.settled = done.then(forget, forget);
  pending.add(call);
}

async function settled(pending: Iterable<Pending>): Promise<void> {
  await Promise.all(Array.from(pending, (call) => call.settled));
}
