import type { Clock } from '../../src/contracts/ports.ts';
import type { Source, SourceBatch, SourceEvent } from '../../src/contracts/source.ts';
import { asPosition, type Position } from '../../src/contracts/units.ts';
import type { Book, Item } from './book.ts';
import type { Chance } from './chance.ts';
import type { World } from './world.ts';

/** What a pull source is like and how often it does something unpleasant. */
export interface OriginOdds {
  readonly partitions: number;
  /** Events carry an identity. Without one their place is all that tells them apart. */
  readonly identified: boolean;
  /** On open it reads again from what was settled, not from where it was asked to; only with identities. */
  readonly rewinds: boolean;
  /** It throws away what was settled. */
  readonly forgets: boolean;
  /** An event that can never become an entry. */
  readonly bad: number;
  /** An event that was there before, in the same bytes. */
  readonly repeated: number;
  readonly batchMax: number;
}

/** The far side of a pull source, such as a database: partitions of events, and what was settled in each of them. */
export class PullOrigin {
  readonly name: string;
  readonly odds: OriginOdds;
  readonly partitions = new Map<string, Item[]>();
  readonly settled = new Map<string, number>();
  readonly #world: World;
  readonly #chance: Chance;
  readonly #book: Book;

  constructor(world: World, book: Book, name: string, odds: OriginOdds) {
    this.#world = world;
    this.#book = book;
    this.#chance = world.chance.fork(`origin/${name}`);
    this.name = name;
    this.odds = odds;
    for (let at = 0; at < odds.partitions; at++) this.partitions.set(`p${at}`, []);
  }

  /** Something happens in the application: one more event somewhere. */
  produce(): void {
    const partition = this.#chance.pick([...this.partitions.keys()]);
    const items = this.partitions.get(partition) as Item[];
    const place = { partition, ordinal: items.length + 1 };
    const bad = this.#chance.hit(this.odds.bad);
    const again = this.odds.identified && items.length > 0 && this.#chance.hit(this.odds.repeated) ? this.#chance.pick(items) : null;
    const earlier = again?.kind === 'good' ? again : null;
    if (earlier !== null) items.push(earlier);
    else if (bad) items.push(this.#book.add({ source: this.name, id: null, kind: 'bad', place }, (mark) => `{"mark":${mark},"bad":`));
    else {
      const id = this.odds.identified ? `${partition}-${place.ordinal}` : null;
      items.push(
        this.#book.add({ source: this.name, id, kind: 'good', place }, (mark) => {
          const identity = id === null ? '' : `"id":"${id}",`;
          return `{${identity}"mark":${mark},"pad":"${'·'.repeat(this.#chance.int(0, 20))}"}`;
        }),
      );
    }
  }

  /** What one life of the process reads with. */
  sourceFor(clock: Clock): Source {
    return {
      batches: (after, signal) => this.#batches(clock, after, signal),
      close: () => Promise.resolve(),
    };
  }

  async *#batches(clock: Clock, after: ReadonlyMap<string, Position>, signal: AbortSignal): AsyncIterable<SourceBatch> {
    const at = new Map([...this.partitions.keys()].map((partition) => [partition, this.#start(partition, after.get(partition))]));
    while (!signal.aborted) {
      const waiting = [...at].filter(([partition, done]) => done < (this.partitions.get(partition) as Item[]).length);
      if (waiting.length === 0) {
        await clock.sleep(this.#chance.int(5, 50), signal).catch(() => {});
        continue;
      }
      const [partition, done] = this.#chance.pick(waiting);
      const items = (this.partitions.get(partition) as Item[]).slice(done, done + this.#chance.int(1, this.odds.batchMax));
      const through = done + items.length;
      at.set(partition, through);
      yield {
        partition,
        position: position(through),
        events: eventsOf(items, done),
        settle: (outcome) => {
          if (outcome === 'refused') at.set(partition, Math.min(at.get(partition) as number, done));
          else this.#settle(partition, done, through, items);
          return Promise.resolve();
        },
      };
      if (this.#chance.hit(0.5)) await clock.sleep(this.#chance.int(0, 5), signal).catch(() => {});
    }
  }

  #start(partition: string, after: Position | undefined): number {
    const asked = after === undefined ? 0 : Number(after);
    const settled = this.settled.get(partition) ?? 0;
    if (this.odds.forgets && asked < settled) {
      this.#world.fail(`source ${this.name}/${partition} is asked for what follows ${asked} although everything to ${settled} was settled`);
    }
    const start = this.odds.rewinds ? Math.min(asked, settled) : asked;
    // To be asked for what follows a place is to be told that everything before it is durable.
    if (start > settled) this.settled.set(partition, start);
    return start;
  }

  #settle(partition: string, from: number, through: number, items: readonly Item[]): void {
    const settled = this.settled.get(partition) ?? 0;
    // A batch that was refused is read again together with what came after it, so a settled place may come twice but never leave a hole.
    if (from > settled) this.#world.fail(`source ${this.name}/${partition} was settled to ${through} before ${from} was`);
    this.settled.set(partition, Math.max(settled, through));
    for (const item of items) item.promised = true;
  }
}

function eventsOf(items: readonly Item[], done: number): SourceEvent[] {
  const bytes = Buffer.from(items.map((item) => item.text).join('\n'));
  let start = 0;
  return items.map((item, at) => {
    const end = start + Buffer.byteLength(item.text);
    const event = { position: position(done + at + 1), bytes, start, end };
    start = end + 1;
    return event;
  });
}

function position(ordinal: number): Position {
  return asPosition(String(ordinal));
}
