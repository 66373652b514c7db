/**
 * The entry of a disk thread: it writes and flushes with blocking calls, one request after another, and sleeps in between.
 * A blocking call here costs less than the way through the thread pool, and a slow flush holds up nobody but its own disk.
 */
import { fdatasyncSync, fsyncSync, ftruncateSync, writeSync } from 'node:fs';
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { errnoOf } from './disk-error.ts';
import { type BufferMessage, type DiskThreadData, DONE, FIELD, OPERATION, SLOT_NUMBERS, SLOTS, STEP, SUBMITTED } from './disk-ring.ts';

const { control, slots, port } = workerData as DiskThreadData & { readonly port: MessagePort };
const counters = new Int32Array(control);
const numbers = new Float64Array(slots);
const buffers = new Map<number, Uint8Array>();

run();

function run(): void {
  for (let done = 0; ; done = (done + 1) | 0) {
    while (Atomics.load(counters, SUBMITTED) === done) Atomics.wait(counters, SUBMITTED, done);
    const slot = (done & (SLOTS - 1)) * SLOT_NUMBERS;
    const goesOn = answer(slot);
    Atomics.store(counters, DONE, (done + 1) | 0);
    Atomics.notify(counters, DONE);
    if (!goesOn) return;
  }
}

/** Does one request and writes its answer into its slot. False after the last one. */
function answer(slot: number): boolean {
  const operation = field(slot, FIELD.operation);
  if (operation === OPERATION.stop) {
    port.close();
    return false;
  }
  const descriptor = field(slot, FIELD.descriptor);
  let step: number = STEP.none;
  let errno = 0;
  try {
    if (operation === OPERATION.write || operation === OPERATION.commit || operation === OPERATION.commitAll) {
      step = STEP.write;
      writeAll(descriptor, bytesOf(slot), field(slot, FIELD.at));
    }
    if (operation === OPERATION.truncate) {
      step = STEP.truncate;
      ftruncateSync(descriptor, field(slot, FIELD.at));
    }
    if (operation !== OPERATION.write && operation !== OPERATION.truncate) {
      step = STEP.flush;
      if (operation === OPERATION.commit) fdatasyncSync(descriptor);
      else fsyncSync(descriptor);
    }
    step = STEP.none;
  } catch (error) {
    const number = errnoOf(error);
    // Anything else is a mistake in this program: it ends the thread, and the main thread hears of it.
    if (number === null) throw error;
    errno = number;
  }
  numbers[slot + FIELD.failedStep] = step;
  numbers[slot + FIELD.errno] = errno;
  return true;
}

/** The operating system may take only a part, near a full disk for example. The rest is tried until it says why not. */
function writeAll(descriptor: number, bytes: Uint8Array, at: number): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(descriptor, bytes, written, bytes.length - written, at + written);
  }
}

function bytesOf(slot: number): Uint8Array {
  const id = field(slot, FIELD.buffer);
  // A buffer is made known before the first request that uses it, so its message is already here.
  while (!buffers.has(id)) {
    const received = receiveMessageOnPort(port);
    if (received === undefined) throw new Error(`buffer ${id} was never made known`);
    const message = received.message as BufferMessage;
    buffers.set(message.id, new Uint8Array(message.buffer));
    if (message.forget !== null) buffers.delete(message.forget);
  }
  const offset = field(slot, FIELD.offset);
  return (buffers.get(id) ?? new Uint8Array(0)).subarray(offset, offset + field(slot, FIELD.length));
}

function field(slot: number, place: number): number {
  return numbers[slot + place] ?? 0;
}
