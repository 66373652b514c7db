import { dirname } from 'node:path';
import { assert } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Disk, DiskFile } from '../contracts/ports.ts';
import type { Receipt, Sink, SinkBatch, SinkCheckpoint, SinkContext, SinkTraits } from '../contracts/sink.ts';
import { asIndex, type Index } from '../contracts/units.ts';
import { checkpointPath, putCheckpoint } from './file-checkpoint.ts';
import { lines, parseLine } from './file-lines.ts';
import { apartFiles, apartPath, markPath, markText } from './file-names.ts';
import { findPlace, type Place, receiptFor } from './file-place.ts';
import { untilGivenUp } from './given-up.ts';

/** After so many batches the journal certainly has the outcome of one, and the mark of the beginning has served. */
const MARKED_WRITES = 16;

/** What an opened file destination is made from. */
export interface FileSinkParts {
  readonly path: string;
  /** The size at which a file is set apart; `null`: never. */
  readonly rotateBytes: number | null;
  readonly traits: SinkTraits;
  readonly context: SinkContext;
  readonly lock: { release(): Promise<void> };
}

/**
 * Appends lines to a file, each batch with one write and one flush. Everything happens in turn. A write whose caller has given up still
 * ends before the next thing begins, and then counts as not written: the journal has no receipt for it, so the next write cuts it off.
 */
export class FileSink implements Sink {
  readonly traits: SinkTraits;
  readonly #path: string;
  readonly #rotateBytes: number | null;
  readonly #disk: Disk;
  readonly #lock: { release(): Promise<void> };
  /** What was acknowledged last, as the journal has it or will have it. */
  #known: SinkContext;
  /** Where the destination stands; `null` before it is looked for, and after a failure, when the disk has to tell. */
  #place: Place | null = null;
  /** Open while the file on the disk is exactly as long as the place says; `null` before the first write and after a failed one. */
  #file: DiskFile | null = null;
  #mark: 'unknown' | 'written' | 'gone' = 'unknown';
  #writes = 0;
  #turn: Promise<unknown> = Promise.resolve();
  /** Beside the turns of batches, which never wait for a checkpoint: it is another file. */
  #checkpointTurn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(parts: FileSinkParts) {
    this.traits = parts.traits;
    this.#path = parts.path;
    this.#rotateBytes = parts.rotateBytes;
    this.#known = parts.context;
    this.#disk = parts.context.ports.disk;
    this.#lock = parts.lock;
  }

  write(batch: SinkBatch, signal: AbortSignal): Promise<Receipt> {
    const finish = async (): Promise<() => Receipt> => {
      const place = await this.#append(await this.#found(), batch);
      return () => {
        const receipt = receiptFor(this.#path, place);
        this.#place = place;
        this.#known = { ...this.#known, cursor: place.next, receipt };
        this.#writes += 1;
        return receipt;
      };
    };
    return this.#inTurn(finish, signal);
  }

  checkpoint(checkpoint: SinkCheckpoint, signal: AbortSignal): Promise<void> {
    assert(!this.#closed, `${this.#path} was used after its destination was closed`);
    const put = this.#checkpointTurn.then(() => putCheckpoint(this.#disk, this.#path, checkpoint));
    this.#checkpointTurn = put.catch(nothing);
    return untilGivenUp(put, signal, `${checkpointPath(this.#path)} was not written in time`);
  }

  next(signal: AbortSignal): Promise<Index> {
    return this.#inTurn(async () => {
      // While nothing is open somebody may put back what was missing: whoever asks is told what is there now.
      if (this.#file === null) await this.#forgetPlace();
      const { next } = await this.#found();
      return () => next;
    }, signal);
  }

  async *readBack(signal: AbortSignal): AsyncGenerator<{ readonly index: Index; readonly bytes: Uint8Array }> {
    const place = await this.#inTurn(async () => {
      const found = await this.#found();
      return () => found;
    }, signal);
    const left = new Set(place.leftovers);
    for (const { path } of await apartFiles(this.#disk, this.#path)) {
      if (path === place.comeBack || left.has(path)) continue;
      yield* this.#entriesOf(path, (await this.#disk.length(path)) ?? 0, signal);
    }
    yield* this.#entriesOf(place.comeBack ?? this.#path, place.length, signal);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#turn;
    await this.#checkpointTurn;
    await this.#letGo();
    await this.#lock.release();
  }

  /**
   * Runs one thing after another. The signal ends the waiting and not the work: a write to a disk cannot be called back.
   * What the work ends with is done only if the caller still waits, in the same moment in which the caller is answered.
   */
  #inTurn<Out>(work: () => Promise<() => Out>, signal: AbortSignal): Promise<Out> {
    assert(!this.#closed, `${this.#path} was used after its destination was closed`);
    if (signal.aborted) return Promise.reject(this.#givenUp(signal));
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(this.#givenUp(signal));
      signal.addEventListener('abort', stop, { once: true });
      const run = async (): Promise<void> => {
        try {
          const finish = await work();
          if (signal.aborted) await this.#forgetPlace();
          else resolve(finish());
        } catch (error) {
          await this.#forgetPlace();
          reject(error);
        } finally {
          signal.removeEventListener('abort', stop);
        }
      };
      this.#turn = this.#turn.then(run);
    });
  }

  #givenUp(signal: AbortSignal): WaybillError {
    return new WaybillError('SINK_ANSWER_LOST', `${this.#path} did not answer in time`, { cause: signal.reason });
  }

  async #found(): Promise<Place> {
    if (this.#place === null) {
      this.#place = await findPlace(this.#path, this.#known);
      // From here on the ledger may have grown, and this would be an old size.
      const { size: _, ...known } = this.#known;
      this.#known = known;
    }
    return this.#place;
  }

  /** Nobody knows how much of a failed write is in the file: it is opened again, and what is not acknowledged is cut by the next write. */
  async #forgetPlace(): Promise<void> {
    this.#place = null;
    await this.#letGo();
  }

  /** Writes a batch, and gives the place at which the destination then stands. */
  async #append(place: Place, batch: SinkBatch): Promise<Place> {
    if (batch.from !== place.next) {
      throw new WaybillError('SINK_OUT_OF_TURN', `${this.#path} goes on at ${place.next}, and the batch begins at ${batch.from}`);
    }
    const next = asIndex(batch.through + 1);
    if (batch.count === 0) {
      // Lines that were never acknowledged must go before the cursor passes them: from then on they would look as if they had been.
      return { ...(this.#file === null ? await this.#prepare(place, 0) : place), next };
    }
    const firstOfBatch = this.#checkRecords(batch);
    const ready = await this.#prepare(place, batch.body.length);
    const file = this.#file;
    assert(file !== null, `${this.#path} is open once it is prepared`);
    await file.commit(batch.body, ready.length);
    return { ...ready, next, length: ready.length + batch.body.length, first: ready.first ?? firstOfBatch };
  }

  /** The place is read from the lines after a loss, so every batch must consist of them. Gives the index of the first one. */
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
  async #prepare(place: Place, bytes: number): Promise<Place> {
    const { length, first } = place;
    await this.#keepMark(place);
    const restored = await this.#restore(place);
    if (this.#file !== null) await this.#checkUntouched(length);
    else this.#file = await this.#openFile(length);
    if (this.#rotateBytes === null || first === null || length + bytes <= this.#rotateBytes) return restored;
    const empty = await this.#setApart(restored, first);
    this.#file = await this.#openFile(0);
    return empty;
  }

  /** Undoes what was set apart without the journal knowing it. A crash between two of these steps leaves what `findPlace` understands. */
  async #restore(place: Place): Promise<Place> {
    if (place.comeBack === null && place.leftovers.length === 0) return place;
    for (const path of place.leftovers) await this.#disk.remove(path);
    if (place.comeBack !== null) await this.#disk.rename(place.comeBack, this.#path);
    return { ...place, comeBack: null, leftovers: [] };
  }

  /** Somebody may have moved, cut or written the file. An open file that has no name any more would swallow every batch from here on. */
  async #checkUntouched(expected: number): Promise<void> {
    const length = (await this.#disk.length(this.#path)) ?? 0;
    if (length < expected) throw this.#shorter(length, expected);
    if (length > expected) throw this.#foreign(this.#path, `has ${length - expected} bytes that somebody else has written`);
  }

  /** Opens the file exactly as long as it must be. Every change of a name that led here becomes durable before a line follows it. */
  async #openFile(expected: number): Promise<DiskFile> {
    if (expected > 0 && (await this.#disk.length(this.#path)) === null) throw this.#shorter(0, expected);
    const file = await this.#disk.open(this.#path, 'create');
    try {
      const length = await file.length();
      if (length < expected) throw this.#shorter(length, expected);
      if (length > expected) {
        await file.truncate(expected);
        // The file may be set apart before another byte is written, and then nobody looks at its end again.
        await file.sync();
      }
      await this.#disk.syncDirectory(dirname(this.#path));
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Sets the file apart under the index of its first line. A crash leaves it under one of its two names, and both are looked for. */
  async #setApart(place: Place, first: Index): Promise<Place> {
    const apart = apartPath(this.#path, first);
    if ((await this.#disk.length(apart)) !== null) throw this.#foreign(apart, 'is already there and would be replaced');
    await this.#letGo();
    await this.#disk.rename(this.#path, apart);
    // The new file must not become durable under the old name before this one is under its own.
    await this.#disk.syncDirectory(dirname(this.#path));
    return { ...place, length: 0, first: null };
  }

  /** Until the journal knows of this file, a mark beside it says whose it is. */
  async #keepMark({ acknowledged }: Place): Promise<void> {
    if (this.#mark === 'unknown' && !acknowledged) {
      await this.#writeMark();
      this.#mark = 'written';
    } else if (this.#mark === 'unknown' || (this.#mark === 'written' && this.#writes >= MARKED_WRITES)) {
      await this.#disk.remove(markPath(this.#path));
      this.#mark = 'gone';
    }
  }

  async #writeMark(): Promise<void> {
    const file = await this.#disk.open(markPath(this.#path), 'create');
    try {
      const text = Buffer.from(markText(this.#known));
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

  #shorter(length: number, expected: number): WaybillError {
    const message = `${this.#path} has ${length} bytes where ${expected} were acknowledged: it was cut, moved or removed`;
    return new WaybillError('DESTINATION_LOST_DATA', message, { facts: { path: this.#path } });
  }

  #foreign(path: string, what: string): WaybillError {
    return new WaybillError('DESTINATION_FOREIGN', `${path} ${what}`, { facts: { path } });
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
        if (signal.aborted) throw this.#givenUp(signal);
        if (line === null) throw this.#foreign(path, `holds no entry in the line that ends at byte ${end}`);
        yield { index: line.index, bytes: bytes.subarray(line.start, line.end) };
      }
    } finally {
      await file.close();
    }
  }
}

function nothing(): void {}
