import type { Batch, Entry } from '../../src/contracts/entry.ts';
import type { Ledger } from '../../src/contracts/ledger.ts';
import { asIndex, CONTROL_SOURCE } from '../../src/contracts/units.ts';
import type { Book, Item } from './book.ts';
import { baseOf } from './naming.ts';
import type { World } from './world.ts';

/** One entry as the checkers hold it. */
export interface ReadEntry {
  readonly index: number;
  readonly line: string;
  readonly entry: Entry;
}

/** Watches the ledger over all lives: what was durable once stays as it was. */
export class LedgerWatch {
  readonly #world: World;
  readonly #lines: string[] = [];
  readonly #sources = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** How many entries somebody has seen as durable. */
  get seen(): number {
    return this.#lines.length;
  }

  /** The first names of the sources of which somebody has seen a durable entry. */
  get sources(): ReadonlySet<string> {
    return this.#sources;
  }

  /** An entry that somebody has seen as durable, also when retention has removed it since. */
  entry(index: number): ReadEntry {
    const line = this.#lines[index];
    if (line === undefined) throw new Error(`nobody has seen entry ${index}`);
    return { index, line, entry: JSON.parse(line) as Entry };
  }

  /** A process has opened the ledger. */
  opened(size: number): void {
    if (size < this.seen) this.#world.fail(`the ledger has ${size} entries although ${this.seen} were durable`);
  }

  /** Somebody has read durable entries. */
  read(batch: Batch): void {
    for (const [at, line] of linesOf(batch).entries()) this.#note(batch.first + at, line);
  }

  /** The whole ledger as it is at the end. */
  compare(entries: readonly ReadEntry[]): void {
    for (const { index, line } of entries) this.#note(index, line);
  }

  #note(index: number, line: string): void {
    const known = this.#lines[index];
    if (known === undefined) {
      if (index !== this.#lines.length) return;
      this.#lines.push(line);
      const [, source = CONTROL_SOURCE] = /^\{"v":1,"source":"([^"]+)"/.exec(line) ?? [];
      if (source !== CONTROL_SOURCE) this.#sources.add(baseOf(source));
    } else if (known !== line) this.#world.fail(`entry ${index} was rewritten: it is now ${line.slice(0, 200)}`);
  }
}

/** The entries of a batch as text. */
export function linesOf(batch: Batch): string[] {
  const text = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
  return Array.from({ length: batch.count }, (_, at) => text.toString('utf8', batch.starts[at], batch.ends[at]));
}

/** Reads the whole ledger; what retention has removed is what the watch saw of it. */
export async function readLedger(ledger: Pick<Ledger, 'size' | 'beginning' | 'read'>, watch: LedgerWatch): Promise<ReadEntry[]> {
  const entries = Array.from({ length: ledger.beginning() }, (_, index) => watch.entry(index));
  while (entries.length < ledger.size()) {
    const batch = await ledger.read(asIndex(entries.length), { entries: 500, bytes: 1 << 20 });
    if (batch.count === 0) throw new Error(`nothing to read at ${entries.length} of ${ledger.size()}`);
    for (const line of linesOf(batch)) entries.push({ index: entries.length, line, entry: JSON.parse(line) as Entry });
  }
  return entries;
}

/** Compares the ledger with what the outside world made and was told. Answers with everything that is wrong. */
export function checkLedger(entries: readonly ReadEntry[], book: Book): string[] {
  const faults: string[] = [];
  const held = new Map<Item, number[]>();
  const counts = new Map<string, number>();
  const identities = new Map<string, number>();
  let received = '';
  for (const { index, line, entry } of entries) {
    const n = counts.get(entry.source) ?? 0;
    if (entry.n !== n) faults.push(`entry ${index} has n ${entry.n} where ${entry.source} is at ${n}`);
    counts.set(entry.source, n + 1);
    if (entry.received_at < received) faults.push(`entry ${index} was received at ${entry.received_at}, before its predecessor`);
    received = entry.received_at;
    if (entry.source === CONTROL_SOURCE) continue;
    const identity = `${baseOf(entry.source)} ${entry.id}`;
    const twin = identities.get(identity);
    if (twin !== undefined) faults.push(`entries ${twin} and ${index} have one identity ${identity}`);
    identities.set(identity, index);
    const item = itemOf(entry, book);
    if (item === null) faults.push(`entry ${index} comes from nowhere: ${line.slice(0, 200)}`);
    else {
      faults.push(...checkEntry(index, line, entry, item));
      held.set(item, [...(held.get(item) ?? []), index]);
    }
  }
  for (const item of book.items) faults.push(...checkItem(item, held.get(item) ?? []));
  faults.push(...checkPlaces(book, held));
  return faults;
}

function itemOf(entry: Entry, book: Book): Item | null {
  const event = entry.event as { readonly mark?: unknown } | null;
  const mark = event?.mark;
  return typeof mark === 'number' ? (book.items[mark] ?? null) : null;
}

function checkEntry(index: number, line: string, entry: Entry, item: Item): string[] {
  const faults: string[] = [];
  if (!line.endsWith(`"event":${item.text}}`)) faults.push(`entry ${index} is not the event ${item.mark} byte for byte`);
  if (item.source !== baseOf(entry.source)) faults.push(`event ${item.mark} of ${item.source} is in the ledger as one of ${entry.source}`);
  if (item.id !== null && item.id !== entry.id) faults.push(`event ${item.mark} has the identity ${entry.id} instead of ${item.id}`);
  if (item.kind === 'bad') faults.push(`entry ${index} holds the bad event ${item.mark}`);
  if (item.place === null) {
    if (!item.sent) faults.push(`entry ${index} holds event ${item.mark}, which was never sent`);
    return faults;
  }
  if (entry.partition !== item.place.partition)
    faults.push(`entry ${index} has partition ${entry.partition} instead of ${item.place.partition}`);
  // An event that its source holds twice may have been taken at its later place.
  if (Number(entry.position) < item.place.ordinal || (item.id === null && Number(entry.position) !== item.place.ordinal)) {
    faults.push(`entry ${index} has position ${entry.position} instead of ${item.place.ordinal}`);
  }
  return faults;
}

function checkItem(item: Item, indexes: readonly number[]): string[] {
  const faults: string[] = [];
  if (indexes.length > item.allowed) faults.push(`event ${item.mark} is in the ledger ${indexes.length} times: ${indexes.join(', ')}`);
  if (item.kind === 'bad') return faults;
  if (item.promised && indexes.length === 0) faults.push(`event ${item.mark} of ${item.source} was promised and is not in the ledger`);
  for (const told of item.told) {
    if (!indexes.includes(told)) faults.push(`event ${item.mark} was promised at ${told} and is at ${indexes.join(', ') || 'no index'}`);
  }
  return faults;
}

/** The events of one partition keep their order. */
function checkPlaces(book: Book, held: ReadonlyMap<Item, readonly number[]>): string[] {
  const last = new Map<string, number>();
  const faults: string[] = [];
  for (const item of book.items) {
    if (item.place === null || item.kind === 'bad') continue;
    const key = `${item.source}/${item.place.partition}`;
    const index = held.get(item)?.[0];
    if (index === undefined) faults.push(`event ${item.mark} of ${key} at ${item.place.ordinal} never arrived`);
    else if (index < (last.get(key) ?? -1)) faults.push(`event ${item.mark} of ${key} at ${item.place.ordinal} was overtaken`);
    else last.set(key, index);
  }
  return faults;
}
