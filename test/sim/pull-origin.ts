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
  /** A partition ends for good, and another one begins. */
  readonly ends: number;
}

/** The far side of a pull source, such as a database: partitions of events, and what was settled in each of them. */
export class PullOrigin {
  readonly name: string;
  readonly odds: OriginOdds;
  readonly partitions = new Map<string, Item[]>();
  readonly settled = new Map<string, number>();
  /** Partitions that get nothing more. */
  readonly #ended = new Set<string>();
  /** Those whose end was offered: there is nothing behind the name any more. `true` once that is settled. */
  readonly #gone = new Map<string, boolean>();
  readonly #world: World;
  readonly #chance: Chance;
  readonly #endings: Chance;
  readonly #book: Book;

  constructor(world: World, book: Book, name: string, odds: OriginOdds) {
    this.#world = world;
    this.#book = book;
    this.#chance = world.chance.fork(`origin/${name}`);
    this.name = name;
    this.odds = odds;
    for (let at = 0; at < odds.partitions; at++) this.partitions.set(`p${at}`, []);
    this.#endings = world.chance.fork(`origin/${name}/ends`);
  }

  /** True when everything is settled, the end of every partition that ended too. */
  get settledAll(): boolean {
    if ([...this.#ended].some((partition) => this.#gone.get(partition) !== true)) return false;
    return [...this.partitions].every(([partition, items]) => (this.settled.get(partition) ?? 0) >= items.length);
  }

  /** What the ledger knows at the end: the position of what is still open, and nothing of what is gone. */
  checkPositions(positions: ReadonlyMap<string, Position>): void {
    for (const [partition, items] of this.partitions) {
      const known = positions.get(partition);
      if (this.#gone.has(partition) ? known === undefined : known === undefined || Number(known) === items.length) continue;
      this.#world.fail(`source ${this.name}/${partition} has ${items.length} events and is at ${String(known)} in the ledger`);
    }
  }

  /** Something happens in the application: one more event somewhere. */
  produce(): void {
    this.#maybeEnd();
    const partition = this.#chance.pick([...this.partitions.keys()].filter((name) => !this.#ended.has(name)));
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

  #maybeEnd(): void {
    if (!this.#endings.hit(this.odds.ends)) return;
    const open = [...this.partitions].filter(([name, items]) => items.length > 0 && !this.#ended.has(name));
    if (open.length === 0) return;
    this.#ended.add(this.#endings.pick(open)[0]);
    this.partitions.set(`p${this.partitions.size}`, []);
  }

  /** What one life of the process reads with. */
  sourceFor(clock: Clock): Source {
    return {
      batches: (after, signal) => this.#batches(clock, after, signal),
      close: () => Promise.resolve(),
    };
  }

  async *#batches(clock: Clock, after: ReadonlyMap<string, Position>, signal: AbortSignal): AsyncIterable<SourceBatch> {
    const at = new Map<string, number>();
    // What ended in another life and is still known there has to be ended again. What is not known is closed.
    const ending = new Set([...this.#gone.keys()].filter((partition) => after.has(partition)));
    for (const partition of this.#gone.keys()) if (!after.has(partition)) this.#gone.set(partition, true);
    while (!signal.aborted) {
      for (const partition of this.partitions.keys())
        if (!at.has(partition) && !this.#gone.has(partition)) at.set(partition, this.#start(partition, after.get(partition)));
      for (const partition of this.#ended) if (this.#hasEnded(partition)) ending.add(partition);
      const [ended] = ending;
      if (ended !== undefined) {
        ending.delete(ended);
        at.delete(ended);
        yield this.#endOf(ended);
        continue;
      }
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

  /** True once everything of a partition that gets nothing more is settled, and nobody was told that it is over. */
  #hasEnded(partition: string): boolean {
    return !this.#gone.has(partition) && this.settled.get(partition) === this.partitions.get(partition)?.length;
  }

  /** The last batch of a partition. From here on nothing can be read of it. */
  #endOf(partition: string): SourceBatch {
    this.#gone.set(partition, this.#gone.get(partition) ?? false);
    return {
      partition,
      position: position((this.partitions.get(partition) as Item[]).length),
      events: [],
      closes: true,
      settle: (outcome) => {
        if (outcome === 'accepted') {
          this.#world.happened('partition closed', `${this.name}/${partition}`);
          this.#gone.set(partition, true);
        }
        return Promise.resolve();
      },
    };
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
