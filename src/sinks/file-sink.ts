import { dirname } from 'node:path';
import { assert } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Disk, DiskFile } from '../contracts/ports.ts';
import type { Receipt, Sink, SinkBatch, SinkContext, SinkTraits } from '../contracts/sink.ts';
import { asIndex, type Index } from '../contracts/units.ts';
import { lines, parseLine } from './file-lines.ts';
import { markPath, markText, type Place, rotatedFiles, rotatedPath } from './file-place.ts';

/** After so many batches the journal certainly has the outcome of one, and the mark of the beginning has served. */
const MARKED_WRITES = 16;

/** What an opened file destination is made from. */
export interface FileSinkParts {
  readonly path: string;
  /** The size at which a file is set apart; `null`: never. */
  readonly rotateBytes: number | null;
  readonly traits: SinkTraits;
  readonly context: SinkContext;
  readonly place: Place;
  readonly lock: { release(): Promise<void> };
}

/**
 * Appends lines to a file, each batch with one write and one flush. Everything happens in turn: a write whose caller has given up still ends
 * before the next thing begins, so that the place is always known.
 */
export class FileSink implements Sink {
  readonly traits: SinkTraits;
  readonly #path: string;
  readonly #rotateBytes: number | null;
  readonly #context: SinkContext;
  readonly #disk: Disk;
  readonly #lock: { release(): Promise<void> };
  #place: Place;
  /** Open while the file on the disk is exactly as long as the place says; `null` before the first write and after a failed one. */
  #file: DiskFile | null = null;
  #writes = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(parts: FileSinkParts) {
    this.traits = parts.traits;
    this.#path = parts.path;
    this.#rotateBytes = parts.rotateBytes;
    this.#context = parts.context;
    this.#disk = parts.context.ports.disk;
    this.#place = parts.place;
    this.#lock = parts.lock;
  }

  write(batch: SinkBatch, signal: AbortSignal): Promise<Receipt> {
    return this.#inTurn(() => this.#append(batch), signal);
  }

  next(signal: AbortSignal): Promise<Index> {
    return this.#inTurn(async () => this.#place.next, signal);
  }

  async *readBack(signal: AbortSignal): AsyncGenerator<{ readonly index: Index; readonly bytes: Uint8Array }> {
    const place = await this.#inTurn(async () => this.#place, signal);
    for (const { path } of await rotatedFiles(this.#disk, this.#path)) {
      yield* this.#entriesOf(path, (await this.#disk.length(path)) ?? 0, signal);
    }
    yield* this.#entriesOf(this.#path, place.length, signal);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#turn;
    await this.#letGo();
    await this.#lock.release();
  }

  /** Runs one thing after another. The signal ends the waiting and not the work: a write to a disk cannot be called back. */
  #inTurn<Out>(work: () => Promise<Out>, signal: AbortSignal): Promise<Out> {
    assert(!this.#closed, `${this.#path} was used after its destination was closed`);
    if (signal.aborted) return Promise.reject(this.#lost(signal));
    const done = this.#turn.then(work);
    this.#turn = done.then(nothing, nothing);
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(this.#lost(signal));
      signal.addEventListener('abort', stop, { once: true });
      done.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    });
  }

  #lost(signal: AbortSignal): WaybillError {
    return new WaybillError('SINK_ANSWER_LOST', `${this.#path} did not answer in time`, { cause: signal.reason });
  }

  async #append(batch: SinkBatch): Promise<Receipt> {
    const { next } = this.#place;
    if (batch.from !== next) {
      throw new WaybillError('SINK_OUT_OF_TURN', `${this.#path} goes on at ${next}, and the batch begins at ${batch.from}`);
    }
    if (batch.count > 0) {
      const first = this.#checkRecords(batch);
      try {
        const file = await this.#prepare(batch.body.length);
        const { length } = this.#place;
        await file.commit(batch.body, length);
        this.#place = { ...this.#place, length: length + batch.body.length, first: this.#place.first ?? first };
      } catch (error) {
        // Nobody knows how much of it is in the file: the next write opens it again and cuts what is not acknowledged.
        await this.#letGo();
        throw error;
      }
    }
    this.#place = { ...this.#place, next: asIndex(batch.through + 1) };
    const { length, first } = this.#place;
    return first === null ? { file: this.#path, length } : { file: this.#path, length, start: first };
  }

  /** The place is read from the lines after a crash, so every batch must consist of them. Gives the index of the first one. */
  #checkRecords({ body, offsets, count, from, through }: SinkBatch): Index {
    const first = parseLine(body, offsets[0] ?? 0, offsets[1] ?? 0);
    const last = parseLine(body, offsets[count - 1] ?? 0, offsets[count] ?? 0);
    if (first === null || last === null) {
      throw new WaybillError('SINK_REFUSED', `a file destination takes the format native only, and ${this.#path} got another one`);
    }
    assert(first.index >= from && last.index <= through, `lines ${first.index} to ${last.index} are outside of ${from} to ${through}`);
    return first.index;
  }

  /** Makes sure that the file is open, exactly as long as the place says, and has room for `bytes` before it is set apart. */
  async #prepare(bytes: number): Promise<DiskFile> {
    const { length, first, acknowledged } = this.#place;
    this.#writes += 1;
    if (this.#writes === 1 && !acknowledged && first === null) await this.#mark();
    if (this.#writes === (acknowledged ? 1 : MARKED_WRITES)) await this.#disk.remove(markPath(this.#path));
    if (this.#file !== null) await this.#checkUntouched();
    if (this.#rotateBytes !== null && first !== null && length + bytes > this.#rotateBytes) await this.#rotate(first);
    this.#file ??= await this.#openFile();
    return this.#file;
  }

  /** Somebody may have moved, cut or written the file. An open file that has no name any more would swallow every batch from here on. */
  async #checkUntouched(): Promise<void> {
    const length = (await this.#disk.length(this.#path)) ?? 0;
    if (length < this.#place.length) throw this.#shorter(length);
    if (length === this.#place.length) return;
    const facts = { path: this.#path };
    throw new WaybillError('DESTINATION_FOREIGN', `${this.#path} has ${length - this.#place.length} bytes from somebody else`, { facts });
  }

  #shorter(length: number): WaybillError {
    const message = `${this.#path} has ${length} bytes where ${this.#place.length} were acknowledged: it was cut, moved or removed`;
    return new WaybillError('DESTINATION_LOST_DATA', message, { facts: { path: this.#path } });
  }

  async #openFile(): Promise<DiskFile> {
    const { length: expected } = this.#place;
    if (expected > 0 && (await this.#disk.length(this.#path)) === null) throw this.#shorter(0);
    const file = await this.#disk.open(this.#path, 'create');
    try {
      const length = await file.length();
      if (length < expected) throw this.#shorter(length);
      if (length > expected) await file.truncate(expected);
      await this.#disk.syncDirectory(dirname(this.#path));
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Sets the file apart under the index of its first line. A crash between any two of these steps leaves the file under one of its two names,
   * and both are looked for when the destination is opened. Whatever was not acknowledged is cut before, so that the file ends with a line.
   */
  async #rotate(first: Index): Promise<void> {
    const apart = rotatedPath(this.#path, first);
    if ((await this.#disk.length(apart)) !== null) {
      throw new WaybillError('DESTINATION_FOREIGN', `${apart} is already there, and it would be replaced`, { facts: { path: apart } });
    }
    this.#file ??= await this.#openFile();
    await this.#file.sync();
    await this.#letGo();
    await this.#disk.rename(this.#path, apart);
    this.#place = { ...this.#place, length: 0, first: null };
    await this.#disk.syncDirectory(dirname(this.#path));
  }

  /** Says durably whose file this is going to be, before there is a line in it. */
  async #mark(): Promise<void> {
    const file = await this.#disk.open(markPath(this.#path), 'create');
    try {
      const text = Buffer.from(markText(this.#context));
      await file.truncate(text.length);
      await file.commit(text, 0);
    } finally {
      await file.close();
    }
    await this.#disk.syncDirectory(dirname(this.#path));
  }

  async #letGo(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    // Every acknowledged byte was flushed before, so a failing close loses nothing.
    await file?.close().catch(nothing);
  }

  async *#entriesOf(
    path: string,
    length: number,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly index: Index; readonly bytes: Uint8Array }> {
    if (length === 0) return;
    const file = await this.#disk.open(path, 'read');
    try {
      for await (const { bytes, line, end } of lines(file, 0, length)) {
        if (signal.aborted) throw this.#lost(signal);
        if (line === null) throw new WaybillError('DESTINATION_FOREIGN', `the line of ${path} that ends at byte ${end} is not an entry`);
        yield { index: line.index, bytes: bytes.subarray(line.start, line.end) };
      }
    } finally {
      await file.close();
    }
  }
}

function nothing(): void {}
