import type { Book, Item } from './book.ts';
import type { Chance } from './chance.ts';
import type { World } from './world.ts';

/** The events of one HTTP request. Sent again after a lost answer it is the same request, byte for byte. */
export interface PushRequest {
  readonly source: string;
  readonly items: readonly Item[];
  readonly body: string;
  readonly partial: boolean;
  readonly idempotencyKey: string | null;
}

/** What a sender learns about a request. `lost`: anything may have happened. `pushback`: nothing was accepted. */
export type PushAnswer =
  | { readonly kind: 'lost' }
  | { readonly kind: 'pushback' }
  | { readonly kind: 'answered'; readonly result: PushResult };

/** The answer of the intake, as far as a sender looks at it. */
export interface PushResult {
  readonly outcome: 'accepted' | 'invalid' | 'conflict';
  readonly firstIndex: number | null;
  readonly accepted: number;
  readonly duplicates: readonly { readonly at: number; readonly index: number }[];
  readonly rejected: readonly { readonly at: number; readonly code: string }[];
}

/** The door of the machine: requests go to whatever process is alive when they arrive. */
export interface Door {
  post(request: PushRequest): Promise<PushAnswer>;
}

/** What a push source and its senders are like. */
export interface ProducerOdds {
  readonly schema: 'json' | 'waybill/1';
  readonly pauseMs: number;
  readonly eventsMax: number;
  /** An event that fails its check. */
  readonly bad: number;
  /** An event that was sent before, by this or another sender. */
  readonly repeated: number;
  /** An event with a taken identity and other bytes. */
  readonly conflict: number;
  /** A request that another sender has just sent. */
  readonly twin: number;
  /** A request is sent twice at nearly the same time. */
  readonly hedged: number;
  readonly partial: number;
  /** A request without identities, under an Idempotency-Key. */
  readonly keyed: number;
  /** A numbered event is held back and sent later. */
  readonly heldBack: number;
  /** A request whose events are so large that its run has several parts. */
  readonly large: number;
  /** After a lost answer the sender gives up. */
  readonly givesUp: number;
}

/** The senders of one push source. They share what they send, as two relays of one application do. */
export class PushSource {
  readonly name: string;
  readonly odds: ProducerOdds;
  readonly recent: PushRequest[] = [];
  readonly world: World;
  readonly book: Book;
  readonly door: Door;
  /** False once nothing new shall be made. */
  producing = true;
  /** How many senders still wait for an answer or have something to send. */
  busy = 0;

  constructor(world: World, book: Book, door: Door, name: string, odds: ProducerOdds) {
    this.world = world;
    this.book = book;
    this.door = door;
    this.name = name;
    this.odds = odds;
  }

  /** Starts one sender. */
  start(number: number): void {
    this.world.watch(`producer ${this.name}/${number}`, new Producer(this, number).run());
  }
}

class Producer {
  readonly #source: PushSource;
  readonly #number: number;
  readonly #chance: Chance;
  readonly #late: Item[] = [];
  #sequence = 0;
  /** How long the padding of an event may be. */
  #padding = 60;
  #requests = 0;

  constructor(source: PushSource, number: number) {
    this.#source = source;
    this.#number = number;
    this.#chance = source.world.chance.fork(`producer/${source.name}/${number}`);
  }

  async run(): Promise<void> {
    const { world, odds } = this.#source;
    this.#source.busy += 1;
    while (this.#source.producing) {
      await world.sleep(this.#chance.next() * 2 * odds.pauseMs);
      await this.#deliver(this.#compose());
    }
    if (this.#late.length > 0) await this.#deliver(this.#request(this.#late.splice(0)));
    this.#source.busy -= 1;
  }

  /** Sends until there is an answer, or gives up. What was refused is left out the next time. */
  async #deliver(request: PushRequest): Promise<void> {
    const { world, door, odds, producing } = this.#source;
    for (const item of request.items) item.sent = true;
    for (;;) {
      const answers = await Promise.all(
        this.#chance.hit(odds.hedged) ? [door.post(request), this.#postLater(request)] : [door.post(request)],
      );
      const results = answers.flatMap((answer) => (answer.kind === 'answered' ? [answer.result] : []));
      const left = new Set(results.flatMap((result) => this.#heed(request, result)));
      if (left.size > 0) await this.#deliver(this.#request([...left]));
      if (results.length > 0) return;
      if (answers.some(({ kind }) => kind === 'lost') && producing && this.#chance.hit(odds.givesUp)) return;
      if (request.idempotencyKey === null) for (const item of request.items) if (item.id === null) item.allowed += 1;
      await world.sleep(this.#chance.logarithmic(5, 1_000));
    }
  }

  /** The same request once more, while the first one is on its way. */
  async #postLater(request: PushRequest): Promise<PushAnswer> {
    await this.#source.world.sleep(this.#chance.logarithmic(0.1, 10));
    return this.#source.door.post(request);
  }

  /** Takes note of what was promised. Answers with the events that are worth another request. */
  #heed(request: PushRequest, result: PushResult): Item[] {
    const { world, name } = this.#source;
    const rejected = new Set(result.rejected.map((fault) => fault.at));
    for (const { at, code } of result.rejected) {
      const item = request.items[at] as Item;
      const disputed = this.#source.book.sameIdentity(item).length > 1;
      if (code === 'IDENTITY_PRUNED' && item.kind === 'good') {
        // Its entry was removed by retention, so it is there; with a rival nobody knows which of the two it is.
        item.promised ||= !disputed;
        continue;
      }
      if (item.kind !== 'bad' && !disputed) world.fail(`source ${name} refused the good event ${item.mark} with ${code}`);
    }
    if (result.outcome !== 'accepted') {
      if (rejected.size === 0) world.fail(`source ${name} refused a request and named no event`);
      return request.idempotencyKey === null ? request.items.filter((_, at) => !rejected.has(at)) : [];
    }
    if (rejected.size > 0 && !request.partial) world.fail(`source ${name} accepted a part of a request that was all or nothing`);
    const duplicates = new Map(result.duplicates.map(({ at, index }) => [at, index]));
    let next = result.firstIndex;
    let fresh = 0;
    for (const [at, item] of request.items.entries()) {
      if (rejected.has(at)) continue;
      if (item.kind === 'bad') world.fail(`source ${name} accepted the bad event ${item.mark}`);
      const known = duplicates.get(at);
      if (known === undefined) fresh += 1;
      item.promised = true;
      item.told.add(known ?? (next as number));
      if (known === undefined && next !== null) next += 1;
    }
    if (fresh !== result.accepted) world.fail(`source ${name} answered ${result.accepted} accepted where ${fresh} are left`);
    return [];
  }

  #compose(): PushRequest {
    const { odds, recent } = this.#source;
    const chance = this.#chance;
    if (recent.length > 0 && chance.hit(odds.twin)) return recent[recent.length - 1] as PushRequest;
    const keyed = chance.hit(odds.keyed);
    const items: Item[] = [];
    this.#padding = chance.hit(odds.large) ? 60_000 : 60;
    for (let count = this.#padding > 60 ? 30 : chance.int(1, odds.eventsMax); count > 0; count--) {
      const item = this.#item(keyed, items);
      if (item !== null) items.push(item);
    }
    if (items.length === 0) items.push(this.#fresh(false));
    const request = this.#request(items, keyed);
    // A sender of numbered events does not share them: the number says who sent it and when.
    recent.push(request);
    if (recent.length > 20) recent.shift();
    return request;
  }

  #item(keyed: boolean, items: readonly Item[]): Item | null {
    const { odds, recent, book, name } = this.#source;
    const chance = this.#chance;
    if (chance.hit(odds.bad)) return book.add({ source: name, id: null, kind: 'bad', place: null }, (mark) => `{"mark":${mark},"mark":0}`);
    if (keyed) return this.#fresh(true);
    if (this.#late.length > 0 && chance.hit(0.2)) return this.#late.shift() as Item;
    const earlier = recent.length > 0 && chance.hit(odds.repeated + odds.conflict) ? chance.pick(chance.pick(recent).items) : null;
    if (earlier !== null && earlier.id !== null) {
      if (chance.hit(odds.repeated / (odds.repeated + odds.conflict))) return earlier;
      return book.add({ source: name, id: earlier.id, kind: 'conflict', place: null }, (mark) => this.#text(mark, earlier.id, null));
    }
    if (items.length > 0 && chance.hit(odds.repeated / 2)) return items[0] as Item;
    const fresh = this.#fresh(false);
    if (chance.hit(odds.heldBack)) {
      this.#late.push(fresh);
      return null;
    }
    return fresh;
  }

  #fresh(keyed: boolean): Item {
    const { book, name } = this.#source;
    const sequence = this.#source.odds.schema === 'waybill/1' ? this.#sequence++ : null;
    const id = keyed ? null : `${this.#number}-${this.#chance.int(0, 0xffff).toString(16)}-${book.items.length}`;
    return book.add({ source: name, id, kind: 'good', place: null }, (mark) => this.#text(mark, id, sequence));
  }

  #request(items: readonly Item[], keyed = false): PushRequest {
    this.#requests += 1;
    return {
      source: this.#source.name,
      items,
      body: items.map((item) => item.text).join('\n'),
      partial: this.#chance.hit(this.#source.odds.partial),
      idempotencyKey: keyed ? `key-${this.#number}-${this.#requests}` : null,
    };
  }

  #text(mark: number, id: string | null, sequence: number | null): string {
    const identity = id === null ? '' : `"id":${JSON.stringify(id)},`;
    const rest = `"mark":${mark},"pad":"${'x'.repeat(this.#chance.int(0, this.#padding))}"`;
    if (this.#source.odds.schema === 'json') return `{${identity}${rest}}`;
    const numbered = sequence === null ? '' : `,"producer":{"id":"app-${this.#number}","epoch":1,"seq":${sequence}}`;
    const what = '"occurred_at":"2026-01-01T00:00:00Z","action":"user.login","outcome":"success","actor":{"type":"user","id":"u"}';
    return `{${identity}${what}${numbered},${rest}}`;
  }
}
