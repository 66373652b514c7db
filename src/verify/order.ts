import { CONTROL_SOURCE } from '../contracts/units.ts';
import { Envelope, TIME_BYTES } from './envelope.ts';
import type { Findings } from './findings.ts';
import type { EntryBytes } from './hashing.ts';
import type { IdentitySet } from './identity-set.ts';

/** A control entry that changes what is expected of the rest. */
export type Declared =
  | { readonly type: 'key.rotated'; readonly index: number; readonly old: string; readonly new: string }
  | { readonly type: 'prune'; readonly index: number; readonly through: number };

interface SourceCount {
  next: number | null;
}

/**
 * Checks what the entries say of themselves, in their order: that each has the form of an entry, that the numbers of a source have no gap,
 * that `received_at` never decreases, and, where identities are kept, that none comes twice.
 */
export class OrderCheck {
  readonly #findings: Findings;
  readonly #identities: IdentitySet | null;
  readonly #declare: (declared: Declared) => void;
  readonly #sources = new Map<string, SourceCount>();
  readonly #envelope = new Envelope();
  #sourceBytes: Uint8Array = new Uint8Array(0);
  #source: SourceCount = { next: 0 };
  #control = false;
  readonly #receivedAt = new Uint8Array(TIME_BYTES);
  /** Numbers begin with 0 only where the log does. */
  #fromZero = true;

  constructor(findings: Findings, identities: IdentitySet | null, declare: (declared: Declared) => void) {
    this.#findings = findings;
    this.#identities = identities;
    this.#declare = declare;
  }

  /** How many sources were seen. */
  get sources(): number {
    return this.#sources.size;
  }

  /** Entries are missing here: what follows is compared with what follows it, and not with what came before. */
  interrupt(): void {
    this.#fromZero = false;
    for (const source of this.#sources.values()) source.next = null;
  }

  /** Checks the entries from index `first` on. */
  check(first: number, { bytes, starts, ends }: EntryBytes, file: string): void {
    const envelope = this.#envelope;
    for (let k = 0; k < starts.length; k += 1) {
      const index = first + k;
      const start = starts[k] ?? 0;
      if (!envelope.read(bytes, start, ends[k] ?? 0)) {
        this.#findings.add('ENTRY_MALFORMED', `entry ${index} does not have the form of an entry`, { index, file });
        continue;
      }
      this.#checkNumber(index, bytes, file);
      this.#checkTime(index, bytes, file);
      if (this.#identities?.add(bytes, envelope) === false) {
        this.#findings.add('IDENTITY_TWICE', `entry ${index} has an identity that an earlier entry of its source has`, { index, file });
      }
      if (this.#control) this.#readControl(index, bytes);
    }
  }

  #checkNumber(index: number, bytes: Uint8Array, file: string): void {
    const { sourceStart, sourceEnd, n } = this.#envelope;
    if (!same(this.#sourceBytes, bytes, sourceStart, sourceEnd)) this.#select(bytes.slice(sourceStart, sourceEnd));
    const source = this.#source;
    if (source.next !== null && n !== source.next) {
      const name = new TextDecoder().decode(this.#sourceBytes);
      this.#findings.add('SEQUENCE_BROKEN', `entry ${index} of the source ${name} has number ${n} where ${source.next} follows`, {
        index,
        file,
      });
    }
    source.next = n + 1;
  }

  #select(name: Uint8Array): void {
    this.#sourceBytes = name;
    const text = new TextDecoder().decode(name);
    const known = this.#sources.get(text) ?? { next: this.#fromZero ? 0 : null };
    this.#sources.set(text, known);
    this.#source = known;
    this.#control = text === CONTROL_SOURCE;
  }

  #checkTime(index: number, bytes: Uint8Array, file: string): void {
    const { receivedAt } = this.#envelope;
    // Times of one form and length compare as their bytes do.
    for (let k = 0; k < TIME_BYTES; k += 1) {
      const byte = bytes[receivedAt + k] as number;
      const before = this.#receivedAt[k] as number;
      if (byte === before) continue;
      if (byte < before)
        this.#findings.add('TIME_BACKWARDS', `entry ${index} was received before the entry in front of it`, { index, file });
      this.#receivedAt.set(bytes.subarray(receivedAt, receivedAt + TIME_BYTES));
      return;
    }
  }

  #readControl(index: number, bytes: Uint8Array): void {
    const { eventStart, eventEnd } = this.#envelope;
    const event = parseObject(new TextDecoder().decode(bytes.subarray(eventStart, eventEnd)));
    if (event['type'] === 'key.rotated' && event['use'] !== 'freshness' && isText(event['old']) && isText(event['new'])) {
      this.#declare({ type: 'key.rotated', index, old: event['old'], new: event['new'] });
    } else if (event['type'] === 'prune' && Number.isSafeInteger(event['through'])) {
      this.#declare({ type: 'prune', index, through: event['through'] as number });
    }
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function same(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let k = 0; k < known.length; k += 1) if (known[k] !== bytes[start + k]) return false;
  return true;
}
