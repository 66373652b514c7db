import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { DiskBuffers, type SharedBytes } from './disk-buffers.ts';
import { DONE, FIELD, OPERATION, type Operation, SLOT_NUMBERS, SLOTS, SUBMITTED } from './disk-ring.ts';
import { threadEntry } from './thread-entry.ts';

/** How one request of a disk thread ended. `errno` is 0 when nothing failed. */
export interface DiskAnswer {
  readonly failedStep: number;
  readonly errno: number;
}

/** Where the changes of open files go. */
export interface DiskChanges {
  /**
   * Hands a request over; requests are done in the order in which they are submitted. `bytes` must not change before the answer. It
   * rejects only when the request could not be done by a mistake of this program.
   */
  submit(operation: Operation, descriptor: number, bytes: Uint8Array | null, at: number): Promise<DiskAnswer>;
  /** Waits for what was submitted. */
  close(): Promise<void>;
}

interface Waiting {
  readonly operation: Operation;
  readonly descriptor: number;
  readonly bytes: SharedBytes | null;
  readonly at: number;
  readonly resolve: (answer: DiskAnswer) => void;
  readonly reject: (reason: Error) => void;
}

/**
 * The main thread's side of one disk thread. Requests are done in the order in which they are submitted.
 * The thread holds the process open only while a request is under way.
 */
export class DiskWriter implements DiskChanges {
  readonly #thread: Worker;
  readonly #port: MessagePort;
  readonly #buffers: DiskBuffers;
  readonly #counters: Int32Array;
  readonly #numbers: Float64Array;
  /** The requests in the ring, oldest first, and those that wait for a place in it. */
  readonly #placed: Waiting[] = [];
  readonly #backlog: Waiting[] = [];
  #submitted = 0;
  #done = 0;
  #collecting = false;
  #broken: Error | null = null;
  readonly #ended: Promise<void>;

  constructor() {
    const control = new SharedArrayBuffer(8);
    const slots = new SharedArrayBuffer(SLOTS * SLOT_NUMBERS * 8);
    const { port1, port2 } = new MessageChannel();
    this.#counters = new Int32Array(control);
    this.#numbers = new Float64Array(slots);
    this.#port = port1;
    this.#port.unref();
    this.#buffers = new DiskBuffers(port1);
    this.#thread = new Worker(threadEntry('disk-thread', import.meta.url), {
      workerData: { control, slots, port: port2 },
      transferList: [port2],
      name: 'disk',
      // What the process was started with may not fit a thread.
      execArgv: [],
    });
    this.#thread.unref();
    this.#thread.on('error', (error) => this.#fail(new Error(`the disk thread failed: ${String(error)}`, { cause: error })));
    this.#ended = new Promise((resolve) => {
      this.#thread.on('exit', () => {
        // The news of the end can overtake the wake-up for the last answers, which are in shared memory all the same.
        this.#collect();
        this.#fail(new Error('the disk thread has ended'));
        resolve();
      });
    });
  }

  /** Hands a request over. `bytes` must not change before the answer. It rejects only when the thread itself is gone. */
  submit(operation: Operation, descriptor: number, bytes: Uint8Array | null, at: number): Promise<DiskAnswer> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      const shared = bytes === null ? null : this.#buffers.share(bytes);
      const waiting: Waiting = { operation, descriptor, bytes: shared, at, resolve, reject };
      if (this.#placed.length >= SLOTS) this.#backlog.push(waiting);
      else this.#place(waiting);
      if (!this.#collecting) void this.#collectUntilIdle();
    });
  }

  /** Waits for what was submitted and ends the thread. */
  async close(): Promise<void> {
    if (this.#broken === null) await this.submit(OPERATION.stop, 0, null, 0);
    this.#port.close();
    // The end of a thread is an event like any other: without this the process could end before it.
    this.#thread.ref();
    await this.#ended;
  }

  #place(waiting: Waiting): void {
    const numbers = this.#numbers;
    const slot = (this.#submitted & (SLOTS - 1)) * SLOT_NUMBERS;
    numbers[slot + FIELD.operation] = waiting.operation;
    numbers[slot + FIELD.descriptor] = waiting.descriptor;
    numbers[slot + FIELD.buffer] = waiting.bytes?.id ?? 0;
    numbers[slot + FIELD.offset] = waiting.bytes?.offset ?? 0;
    numbers[slot + FIELD.length] = waiting.bytes?.length ?? 0;
    numbers[slot + FIELD.at] = waiting.at;
    this.#placed.push(waiting);
    this.#submitted = (this.#submitted + 1) | 0;
    Atomics.store(this.#counters, SUBMITTED, this.#submitted);
    Atomics.notify(this.#counters, SUBMITTED);
  }

  async #collectUntilIdle(): Promise<void> {
    this.#collecting = true;
    this.#thread.ref();
    while (this.#placed.length > 0) {
      const wait = Atomics.waitAsync(this.#counters, DONE, this.#done);
      if (wait.async) await wait.value;
      this.#collect();
    }
    this.#collecting = false;
    this.#thread.unref();
  }

  /** Settles what is done and moves up what waits. */
  #collect(): void {
    const now = Atomics.load(this.#counters, DONE);
    for (; this.#done !== now; this.#done = (this.#done + 1) | 0) {
      const slot = (this.#done & (SLOTS - 1)) * SLOT_NUMBERS;
      const waiting = this.#placed.shift();
      waiting?.bytes?.release();
      waiting?.resolve({ failedStep: this.#numbers[slot + FIELD.failedStep] ?? 0, errno: this.#numbers[slot + FIELD.errno] ?? 0 });
      const next = this.#backlog.shift();
      if (next !== undefined) this.#place(next);
    }
  }

  #fail(reason: Error): void {
    this.#broken ??= reason;
    for (const waiting of [...this.#placed.splice(0), ...this.#backlog.splice(0)]) waiting.reject(this.#broken);
    // Nobody will count any more: this wakes the collector so that it ends.
    Atomics.notify(this.#counters, DONE);
  }
}
