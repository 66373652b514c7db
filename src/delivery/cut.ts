import { hash } from 'node:crypto';
import type { Codec, Encoded } from '../contracts/codec.ts';
import type { Batch } from '../contracts/entry.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Omitted } from '../contracts/sink.ts';
import type { Index } from '../contracts/units.ts';
import { isControlEntry, isOwnEntry, receivedAtOf } from './control-entry.ts';
import type { ControlChoice } from './records.ts';

/** How the entries of a range become the records of a batch. The same rules and range always give the same bytes. */
export interface CutRules {
  readonly codec: Codec;
  readonly control: ControlChoice;
  /** The name of the destination, which tells its own control entries from others. */
  readonly destination: string;
  /** Whether the body is hashed: a destination that conditions its writes on their position needs no hash. */
  readonly hashed: boolean;
}

/** Which entries a batch may account for. */
export interface CutRange {
  readonly from: Index;
  /** The last index that the batch may account for; `null`: as far as the ledger goes. */
  readonly limit: Index | null;
  /** The batch ends at the first of these that gives it a record. Ascending. */
  readonly fences: readonly Index[];
  /** Entries to leave out because they are set aside, ascending. */
  readonly omit: readonly Index[];
  /** Ranges outside of which everything is left out; `null`: there is no such limit. */
  readonly only: readonly { readonly from: Index; readonly through: Index }[] | null;
  /** What lies here or before is not in the ledger any more; `null`: everything is there. */
  readonly gone: Index | null;
}

/** How large a batch may become: records, and bytes of its body. A single record may be larger. */
export interface CutLimits {
  readonly entries: number;
  readonly bytes: number;
}

/** A batch with its bytes: it accounts for every index of [from, through]. */
export interface Cut {
  readonly from: Index;
  readonly through: Index;
  readonly count: number;
  readonly omitted: Omitted;
  readonly body: Uint8Array;
  /** Record `k` is `body[offsets[k] … offsets[k + 1]]`. */
  readonly offsets: Uint32Array;
  readonly contentType: string;
  readonly sha256: string;
  /** The index of each record; `null`: they are consecutive from `from` on. */
  readonly indexes: readonly Index[] | null;
  /** For a batch of one: whether its record is a control entry. */
  readonly loneControl: boolean;
  /** When the entry of its first record was received, in milliseconds since 1970; `null` without a record. */
  readonly receivedAt: number | null;
}

const NO_LIMITS: CutLimits = { entries: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER };

const NOTHING: Encoded = { bytes: new Uint8Array(0), offsets: new Uint32Array(1), count: 0 };

/** How much is read at a time where a range, and not a limit, says where the batch ends. */
const READ_MAX: CutLimits = { entries: 4_096, bytes: 4 << 20 };

/** A cut that is being made. `parts` hold the records so far. */
interface Making {
  readonly ledger: Pick<Ledger, 'read' | 'size'>;
  readonly range: CutRange;
  readonly rules: CutRules;
  readonly limits: CutLimits;
  readonly parts: Encoded[];
  /** The index of each record so far; `null` while every entry is a record. */
  readonly indexes: Index[] | null;
  readonly omit: ReadonlySet<Index>;
  at: Index;
  count: number;
  bytes: number;
  control: number;
  filtered: number;
  readonly detached: number;
  loneControl: boolean;
  receivedAt: number | null;
  full: boolean;
}

/**
 * Cuts the next batch: everything that is durable goes, up to the limits. It has no record when nothing of the range is to be sent;
 * `after` is such a cut, and what it accounts for is not read again. The range must begin below the size of the ledger.
 */
export async function cutNext(
  ledger: Making['ledger'],
  range: CutRange,
  rules: CutRules,
  limits: CutLimits,
  after: Cut | null = null,
): Promise<Cut> {
  const making = begin(ledger, range, rules, limits, after);
  const size = ledger.size();
  const end = (range.limit === null ? size : Math.min(size, range.limit + 1)) as Index;
  while (making.at < end && !making.full) {
    const fence = range.fences.find((index) => index >= making.at && index < end);
    await takeThrough(making, fence === undefined ? end : ((fence + 1) as Index));
    if (fence !== undefined && making.count > 0) break;
  }
  if (making.full && range.limit !== null) await takeAlong(making, end);
  return finish(making);
}

/** Cuts a range again, byte for byte as it was cut the first time under the same rules. */
export async function cutAgain(ledger: Making['ledger'], range: Omit<CutRange, 'fences'>, rules: CutRules): Promise<Cut> {
  return cutNext(ledger, { ...range, fences: [] }, rules, NO_LIMITS);
}

/** The index of record `place`. */
export function recordIndex(cut: Cut, place: number): Index {
  return cut.indexes === null ? ((cut.from + place) as Index) : (cut.indexes[place] as Index);
}

/**
 * The identity of a batch: the same for the same range, bytes and checkpoint from the same ledger to the same destination, and for nothing
 * else.
 */
export function batchId(
  origin: string,
  destination: string,
  { from, through, sha256, checkpoint }: Pick<Cut, 'from' | 'through' | 'sha256'> & { readonly checkpoint?: string | undefined },
  replay: string | null,
): string {
  const carried = checkpoint === undefined ? [] : [checkpoint];
  const text = JSON.stringify(['waybill batch', origin, destination, replay, from, through, sha256, ...carried]);
  return `${destination}-${from}-${through}-${hash('sha256', text, 'hex').slice(0, 24)}`;
}

function begin(ledger: Making['ledger'], range: CutRange, rules: CutRules, limits: CutLimits, after: Cut | null): Making {
  const from = after === null ? range.from : ((after.through + 1) as Index);
  const gone = Math.min(range.gone ?? -1, range.limit ?? Number.POSITIVE_INFINITY);
  const detached = Math.max(0, gone - from + 1);
  const earlier = after?.omitted.detached ?? 0;
  const plain = rules.control === 'all' && range.omit.length === 0 && range.only === null && detached + earlier === 0;
  return {
    ledger,
    range,
    rules,
    limits,
    parts: [],
    indexes: plain ? null : [],
    omit: new Set(range.omit),
    at: (from + detached) as Index,
    count: 0,
    bytes: 0,
    control: after?.omitted.control ?? 0,
    filtered: after?.omitted.filtered ?? 0,
    detached: earlier + detached,
    loneControl: false,
    receivedAt: null,
    full: false,
  };
}

/** Takes entries up to `end` or until the batch is full. */
async function takeThrough(making: Making, end: Index): Promise<void> {
  const { ledger, limits } = making;
  while (making.at < end && !making.full) {
    const entries = Math.min(end - making.at, limits.entries - making.count, READ_MAX.entries);
    const batch = await ledger.read(making.at, { entries, bytes: Math.min(limits.bytes - making.bytes, READ_MAX.bytes) });
    take(making, batch.count > entries ? clip(batch, entries) : batch);
  }
}

/** In a range that ends somewhere, what follows a full batch and is not sent rides along: it might not have anything later to ride on. */
async function takeAlong(making: Making, end: Index): Promise<void> {
  while (making.indexes !== null && making.at < end) {
    const batch = clip(await making.ledger.read(making.at, READ_MAX), end - making.at);
    const { pick, control, filtered } = choose(making, batch);
    const used = pick[0] ?? batch.count;
    making.control += control.filter((place) => place < used).length;
    making.filtered += filtered.filter((place) => place < used).length;
    making.at = (making.at + used) as Index;
    if (pick.length > 0) return;
  }
}

function take(making: Making, batch: Batch): void {
  const { rules, limits, indexes } = making;
  const chosen = indexes === null ? null : choose(making, batch);
  const pick = chosen?.pick;
  const encoded = pick?.length === 0 ? NOTHING : rules.codec.encode(batch, pick);
  const fit = howManyFit(encoded, limits.bytes - making.bytes, making.count === 0);
  const cut = fit < encoded.count;
  // The range ends before the first record that did not fit: it is the next batch's first.
  const used = cut ? (pick?.[fit] ?? fit) : batch.count;
  if (fit > 0) {
    if (making.count === 0) making.receivedAt = receivedAtOf(batch, pick?.[0] ?? 0);
    if (making.count === 0 && fit === 1) making.loneControl = isControlEntry(batch, pick?.[0] ?? 0);
    making.parts.push(cut ? { bytes: encoded.bytes, offsets: encoded.offsets.subarray(0, fit + 1), count: fit } : encoded);
    making.count += fit;
    making.bytes += encoded.offsets[fit] as number;
  }
  if (chosen !== null) {
    for (const place of chosen.pick.slice(0, fit)) indexes?.push((making.at + place) as Index);
    making.control += chosen.control.filter((place) => place < used).length;
    making.filtered += chosen.filtered.filter((place) => place < used).length;
  }
  making.at = (making.at + used) as Index;
  making.full = cut || making.count >= limits.entries || making.bytes >= limits.bytes;
}

/** The places of a batch that become records, and of those left out that are not set aside. */
function choose(
  { range, rules, omit }: Making,
  batch: Batch,
): { readonly pick: number[]; readonly control: number[]; readonly filtered: number[] } {
  const chosen = { pick: [] as number[], control: [] as number[], filtered: [] as number[] };
  for (let k = 0; k < batch.count; k++) {
    const index = (batch.first + k) as Index;
    if (omit.has(index)) continue;
    if (range.only !== null && !range.only.some(({ from, through }) => index >= from && index <= through)) chosen.filtered.push(k);
    else if (rules.control === 'all' || !isControlEntry(batch, k)) chosen.pick.push(k);
    else if (rules.control === 'own' && isOwnEntry(batch, k, rules.destination)) chosen.pick.push(k);
    else chosen.control.push(k);
  }
  return chosen;
}

function howManyFit(encoded: Encoded, room: number, first: boolean): number {
  const { offsets, count } = encoded;
  if ((offsets[count] as number) <= room) return count;
  let fit = count - 1;
  while (fit > 0 && (offsets[fit] as number) > room) fit -= 1;
  // One record goes however large it is, or the destination would wait for ever.
  return fit === 0 && first ? 1 : fit;
}

function clip(batch: Batch, most: number): Batch {
  const count = Math.min(batch.count, most);
  return { ...batch, count, starts: batch.starts.subarray(0, count), ends: batch.ends.subarray(0, count) };
}

function finish(making: Making): Cut {
  const { range, rules, count, control, filtered, detached, indexes, loneControl, receivedAt } = making;
  const { body, offsets } = join(making);
  const through = (making.at - 1) as Index;
  const quarantined = range.omit.filter((index) => index >= range.from + detached && index <= through);
  const sha256 = rules.hashed ? hash('sha256', body, 'hex') : '';
  const { contentType } = rules.codec;
  return {
    from: range.from,
    through,
    count,
    omitted: { filtered, quarantined, control, detached },
    body,
    offsets,
    contentType,
    sha256,
    indexes,
    loneControl: count === 1 && loneControl,
    receivedAt,
  };
}

function join({ parts, count, bytes }: Making): { readonly body: Uint8Array; readonly offsets: Uint32Array } {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return { body: only.bytes.subarray(0, bytes), offsets: only.offsets };
  const body = new Uint8Array(bytes);
  const offsets = new Uint32Array(count + 1);
  let at = 0;
  let record = 0;
  for (const part of parts) {
    body.set(part.bytes.subarray(0, part.offsets[part.count]), at);
    for (let k = 1; k <= part.count; k++) offsets[record + k] = at + (part.offsets[k] as number);
    at += part.offsets[part.count] as number;
    record += part.count;
  }
  return { body, offsets };
}
