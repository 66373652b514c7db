import { WaybillError } from '../../src/contracts/errors.ts';
import type { DiskFile } from '../../src/contracts/ports.ts';
import type { VirtualDisk } from './disk.ts';
import type { Inode } from './inode.ts';
import type { Life } from './world.ts';

/** An operation that a process waits for. `partly` is what a kill in its middle may leave behind. */
export interface DiskOperation {
  readonly life: Life;
  readonly name: string;
  readonly partly: (() => void) | null;
}

/** A file that one process has open. Its operations take effect one after the other, in the order in which they were asked for. */
export class OpenFile implements DiskFile {
  readonly #disk: VirtualDisk;
  readonly #life: Life;
  readonly #path: string;
  readonly #inode: Inode;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;
  #lost = false;

  constructor(disk: VirtualDisk, life: Life, path: string, inode: Inode) {
    this.#disk = disk;
    this.#life = life;
    this.#path = path;
    this.#inode = inode;
  }

  length(): Promise<number> {
    return this.#next(() => this.#disk.operate(this.#life, `length ${this.#path}`, { effect: () => this.#inode.length }));
  }

  read(at: number, length: number): Promise<Uint8Array> {
    return this.#next(() => this.#disk.operate(this.#life, `read ${this.#path}`, { effect: () => this.#inode.read(at, length) }));
  }

  readNow(into: Uint8Array, at: number): number {
    this.#mustBeOpen();
    return this.#inode.readInto(into, at);
  }

  write(bytes: Uint8Array, at: number): Promise<void> {
    return this.#next(() => this.#write(bytes, at));
  }

  sync(): Promise<void> {
    return this.#next(() => this.#sync());
  }

  commit(bytes: Uint8Array, at: number): Promise<void> {
    return this.#next(async () => {
      await this.#write(bytes, at);
      await this.#sync();
    });
  }

  truncate(length: number): Promise<void> {
    return this.#next(() =>
      this.#disk.operate(this.#life, `truncate ${this.#path}`, {
        effect: () => this.#inode.truncate(length),
        partly: () => this.#inode.truncate(length),
        failing: () => {},
      }),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
  }

  #write(bytes: Uint8Array, at: number): Promise<void> {
    const part = (): void => {
      const whole = bytes.length;
      this.#inode.write(bytes.subarray(0, this.#disk.chance.int(0, whole)), at);
    };
    return this.#disk.operate(this.#life, `write ${this.#path} ${at}+${bytes.length}`, {
      effect: () => {
        this.#mustBeCertain();
        const growth = at + bytes.length - this.#inode.length;
        const room = growth > 0 ? this.#disk.capacity - this.#disk.used() : growth;
        if (growth > Math.max(0, room)) {
          const fits = bytes.length - growth + Math.max(0, room);
          this.#inode.write(bytes.subarray(0, Math.max(0, fits)), at);
          throw new WaybillError('DISK_FULL', `ENOSPC in write ${this.#path}`);
        }
        this.#inode.write(bytes, at);
      },
      partly: part,
      failing: part,
      bytes: bytes.length,
    });
  }

  #sync(): Promise<void> {
    return this.#disk.operate(this.#life, `sync ${this.#path}`, {
      effect: () => {
        this.#mustBeCertain();
        this.#inode.sync();
      },
      partly: () => this.#inode.sync(),
      failing: () => {
        // As the real port has it: after a failed sync this file takes nothing more until it is opened again.
        this.#lost = true;
        this.#inode.failSync(this.#disk.chance);
      },
    });
  }

  #next<Result>(operation: () => Promise<Result>): Promise<Result> {
    this.#mustBeOpen();
    const result = this.#tail.then(operation);
    // One failed operation does not stop the next: each has its own outcome.
    this.#tail = result.catch(() => {});
    return result;
  }

  #mustBeCertain(): void {
    if (this.#lost) throw new WaybillError('DISK_FAILED', `${this.#path} is uncertain since a sync failed`);
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new Error(`use of ${this.#path} after it was closed`);
  }
}
