import { hash } from 'node:crypto';
import { WaybillError } from '../contracts/errors.ts';
import type { Disk } from '../contracts/ports.ts';

/** Where and why an event was refused. */
export interface RefusedPlace {
  /** The first name of the source, so that it is the same place after a renaming. */
  readonly source: string;
  readonly partition: string | null;
  readonly position: string | null;
  /** Which one it is among the same bytes at the same position, from 0. */
  readonly nth: number;
  /** The code of the fault, and what it says. */
  readonly reason: string;
  readonly message: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
}

/** Bytes that are kept, and every place where they were refused. */
export interface RefusedEvent {
  readonly sha256: string;
  readonly bytes: number;
  /** Empty when nobody knows any more. */
  readonly places: readonly RefusedPlace[];
}

/**
 * The bytes of events that nobody could be refused: one file for each, named by its SHA-256, and beside it a file with what is known of it.
 */
export interface RefusedEvents {
  /**
   * Keeps the bytes and resolves with their SHA-256 once they survive a loss of power. A place that is known already changes nothing.
   * Rejects with `REFUSED_FULL` when there is no room for them.
   */
  keep(bytes: Uint8Array, place?: RefusedPlace): Promise<string>;
  /** What is kept, in the order of the names, after one of them. */
  list(after: string, countMax: number): Promise<readonly RefusedEvent[]>;
  /** One of them with its bytes; `null` when it is not kept. */
  read(sha256: string): Promise<{ readonly event: RefusedEvent; readonly content: Uint8Array } | null>;
  /** Removes one for good. */
  remove(sha256: string): Promise<void>;
  /** How many bytes of the directory are used, each file rounded up to whole blocks. */
  bytes(): number;
  /** How many events are kept. */
  count(): number;
}

/** How many bytes are kept of refused events before the source halts. */
export const REFUSED_BYTES_MAX = 64 << 20;

/** In how many places the same bytes may have been refused before the source halts. */
export const REFUSED_PLACES_MAX = 1_000;

const BLOCK = 4_096;
const NAME = /^[0-9a-f]{64}$/;
const FACTS = '.json';

/** Opens the directory, which is made when the first event is kept, and clears what a crash left half-written. */
export async function openRefused(path: string, disk: Disk, bytesMax = REFUSED_BYTES_MAX): Promise<RefusedEvents> {
  const kept = new Set<string>();
  let used = 0;
  const names = await disk.list(path);
  for (const name of names) {
    const whole = name.endsWith(FACTS) ? name.slice(0, -FACTS.length) : name;
    // Facts are written before their bytes and removed after them: facts alone are what a crash left.
    const isRest = name.endsWith('.tmp') || (whole !== name && NAME.test(whole) && !names.includes(whole));
    if (isRest) await disk.remove(`${path}/${name}`);
    else if (NAME.test(whole)) used += blocks((await disk.length(`${path}/${name}`)) ?? 0);
    if (NAME.test(name)) kept.add(name);
  }
  return new RefusedStore(path, disk, bytesMax, kept, used);
}

class RefusedStore implements RefusedEvents {
  readonly #path: string;
  readonly #disk: Disk;
  readonly #bytesMax: number;
  readonly #kept: Set<string>;
  #used: number;
  /** What is done to one event is done one after another. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(path: string, disk: Disk, bytesMax: number, kept: Set<string>, used: number) {
    this.#path = path;
    this.#disk = disk;
    this.#bytesMax = bytesMax;
    this.#kept = kept;
    this.#used = used;
  }

  bytes(): number {
    return this.#used;
  }

  count(): number {
    return this.#kept.size;
  }

  keep(bytes: Uint8Array, place?: RefusedPlace): Promise<string> {
    const name = hash('sha256', bytes, 'hex');
    return this.#inTurn(name, () => this.#keep(name, bytes, place));
  }

  async list(after: string, countMax: number): Promise<readonly RefusedEvent[]> {
    const wanted = [...this.#kept].filter((name) => name > after).toSorted();
    const events: RefusedEvent[] = [];
    for (const name of wanted.slice(0, countMax))
      await this.#inTurn(name, async () => this.#kept.has(name) && events.push(await this.#eventOf(name)));
    return events;
  }

  read(name: string): Promise<{ readonly event: RefusedEvent; readonly content: Uint8Array } | null> {
    return this.#inTurn(name, async () =>
      this.#kept.has(name) ? { event: await this.#eventOf(name), content: await this.#contentOf(name) } : null,
    );
  }

  remove(name: string): Promise<void> {
    return this.#inTurn(name, async () => {
      if (!this.#kept.delete(name)) return;
      const freed = (await this.#space(name)) + (await this.#space(name + FACTS));
      await this.#disk.remove(`${this.#path}/${name}`);
      await this.#disk.remove(`${this.#path}/${name}${FACTS}`);
      await this.#disk.syncDirectory(this.#path);
      this.#used -= freed;
    });
  }

  async #keep(name: string, bytes: Uint8Array, place: RefusedPlace | undefined): Promise<string> {
    const isNew = !this.#kept.has(name);
    const places = await this.#placesOf(name);
    const isKnown = place === undefined || places.some((other) => isSamePlace(place, other));
    if (isKnown && !isNew) return name;
    if (places.length >= REFUSED_PLACES_MAX) {
      throw new WaybillError('REFUSED_FULL', `the event ${name} was refused in ${REFUSED_PLACES_MAX} places already`);
    }
    const facts = isKnown ? null : Buffer.from(JSON.stringify({ v: 1, places: [...places, place] }));
    const more = (isNew ? blocks(bytes.length) : 0) + (facts === null ? 0 : blocks(facts.length) - (await this.#space(name + FACTS)));
    if (this.#used + more > this.#bytesMax) {
      throw new WaybillError('REFUSED_FULL', `${this.#path} holds ${this.#used} bytes, of ${this.#bytesMax}`);
    }
    this.#used += more;
    try {
      await this.#disk.makeDirectory(this.#path);
      if (facts !== null) await this.#write(name + FACTS, facts);
      if (isNew) await this.#write(name, bytes);
      await this.#disk.syncDirectory(this.#path);
    } catch (error) {
      this.#used -= more;
      throw error;
    }
    this.#kept.add(name);
    return name;
  }

  async #write(name: string, bytes: Uint8Array): Promise<void> {
    const half = `${this.#path}/${name}.tmp`;
    const file = await this.#disk.open(half, 'create');
    try {
      await file.truncate(0);
      await file.write(bytes, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#disk.rename(half, `${this.#path}/${name}`);
  }

  async #eventOf(name: string): Promise<RefusedEvent> {
    return { sha256: name, bytes: (await this.#disk.length(`${this.#path}/${name}`)) ?? 0, places: await this.#placesOf(name) };
  }

  async #placesOf(name: string): Promise<readonly RefusedPlace[]> {
    if ((await this.#disk.length(`${this.#path}/${name}${FACTS}`)) === null) return [];
    const text = Buffer.from(await this.#contentOf(name + FACTS)).toString();
    return (JSON.parse(text) as { readonly places: readonly RefusedPlace[] }).places;
  }

  async #contentOf(name: string): Promise<Uint8Array> {
    const file = await this.#disk.open(`${this.#path}/${name}`, 'read');
    try {
      return await file.read(0, await file.length());
    } finally {
      await file.close();
    }
  }

  /** What a file takes; 0 when it is not there. */
  async #space(name: string): Promise<number> {
    const bytes = await this.#disk.length(`${this.#path}/${name}`);
    return bytes === null ? 0 : blocks(bytes);
  }

  #inTurn<Out>(name: string, work: () => Promise<Out>): Promise<Out> {
    const done = (this.#turns.get(name) ?? Promise.resolve()).then(work, work);
    this.#turns.set(name, done);
    const forget = (): void => {
      if (this.#turns.get(name) === done) this.#turns.delete(name);
    };
    done.then(forget, forget);
    return done;
  }
}

/** The same event again, after a crash: when it was refused says nothing then. */
function isSamePlace(a: RefusedPlace, b: RefusedPlace): boolean {
  // Without a position nothing is ever read again, so the same bytes are another event.
  return a.position !== null && a.source === b.source && a.partition === b.partition && a.position === b.position && a.nth === b.nth;
}

function blocks(bytes: number): number {
  return Math.max(BLOCK, Math.ceil(bytes / BLOCK) * BLOCK);
}
