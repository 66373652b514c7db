import type { MessagePort } from 'node:worker_threads';
import type { BufferMessage } from './disk-ring.ts';

/** How many buffers a disk thread knows at a time. More are only slower: an old one is forgotten and made known again. */
const KNOWN_MAX = 32;

/** Copies go through buffers that are kept for the next one: how many, and from which size to which. */
const STAGING_MAX = 4;
const STAGING_BYTES_MIN = 1 << 16;
const STAGING_BYTES_MAX = 8 << 20;

/** Bytes where a disk thread can see them. */
export interface SharedBytes {
  readonly id: number;
  readonly offset: number;
  readonly length: number;
  /** Gives the memory back once the request is done. */
  release(): void;
}

/** Makes the bytes of requests visible to one disk thread: shared memory by its number, other memory by a copy. */
export class DiskBuffers {
  readonly #port: MessagePort;
  readonly #ids = new Map<SharedArrayBuffer, number>();
  readonly #staging: SharedArrayBuffer[] = [];
  #nextId = 1;

  /** Announces each buffer once through `port`. */
  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** Must be called in the order in which the requests are submitted. */
  share(bytes: Uint8Array): SharedBytes {
    const memory = bytes.buffer;
    if (memory instanceof SharedArrayBuffer) {
      return { id: this.#idOf(memory), offset: bytes.byteOffset, length: bytes.length, release: nothing };
    }
    const copy = this.#takeStaging(bytes.length);
    new Uint8Array(copy).set(bytes);
    const release = (): void => {
      if (this.#staging.length < STAGING_MAX && copy.byteLength <= STAGING_BYTES_MAX) this.#staging.push(copy);
    };
    return { id: this.#idOf(copy), offset: 0, length: bytes.length, release };
  }

  #idOf(buffer: SharedArrayBuffer): number {
    const known = this.#ids.get(buffer);
    if (known !== undefined) return known;
    const id = this.#nextId++;
    this.#ids.set(buffer, id);
    this.#port.postMessage({ id, buffer, forget: this.#forgetOldest() } satisfies BufferMessage, []);
    return id;
  }

  /** The thread forgets a buffer only after everything that was submitted before, so that one in use stays known. */
  #forgetOldest(): number | null {
    if (this.#ids.size <= KNOWN_MAX) return null;
    // A map keeps its keys in the order in which they came.
    for (const [oldest, id] of this.#ids) {
      this.#ids.delete(oldest);
      return id;
    }
    return null;
  }

  #takeStaging(length: number): SharedArrayBuffer {
    const place = this.#staging.findIndex((buffer) => buffer.byteLength >= length);
    if (place >= 0) return this.#staging.splice(place, 1)[0] as SharedArrayBuffer;
    let size = STAGING_BYTES_MIN;
    while (size < length) size *= 2;
    return new SharedArrayBuffer(size);
  }
}

function nothing(): void {}
