import { assert } from '../contracts/assert.ts';
import { readTree } from './check-tree.ts';
import type { Checked } from './checked.ts';
import { noted } from './scan.ts';
import { textOf } from './scan-names.ts';
import { NOTE_IDENTITY, NOTE_PRODUCER } from './scan-plan.ts';
import { BACKSLASH, QUOTE } from './scan-tokens.ts';
import { identityText } from './scan-values.ts';

type Producer = { readonly id: string; readonly epoch: number; readonly seq: number };
type Producers = Map<number, Producer>;

/** The columns of a submission while it is read. They grow by doubling, so that nobody has to count the events first. */
export class Columns {
  count = 0;
  readonly #bytes: Uint8Array;
  #starts: Uint32Array;
  #ends: Uint32Array;
  #idStarts: Uint32Array;
  #idEnds: Uint32Array;
  readonly #producers: Producers = new Map();
  /** Identities whose canonical text differs from what was sent: they go behind the body. */
  readonly #appended: Uint8Array[] = [];
  #length: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#length = bytes.length;
    const guess = 16 + (bytes.length >> 8);
    this.#starts = new Uint32Array(guess);
    this.#ends = new Uint32Array(guess);
    this.#idStarts = new Uint32Array(guess);
    this.#idEnds = new Uint32Array(guess);
  }

  /** Adds the event `bytes[start … end]`, with what the last scan noted if `useNotes` says so. */
  push(start: number, end: number, useNotes: boolean): void {
    const k = this.count;
    if (k === this.#starts.length) this.#grow();
    this.count = k + 1;
    this.#starts[k] = start;
    this.#ends[k] = end;
    if (!useNotes) return;
    const idEnd = noted[NOTE_IDENTITY * 2 + 1]!;
    if (idEnd > 0) this.#identity(k, noted[NOTE_IDENTITY * 2]!, idEnd);
    const producerEnd = noted[NOTE_PRODUCER * 2 + 1]!;
    if (producerEnd > 0) this.#producer(k, noted[NOTE_PRODUCER * 2]!, producerEnd);
  }

  finish(): Omit<Checked, 'faults' | 'unreadable'> {
    const count = this.count;
    return {
      bytes: this.#appended.length === 0 ? this.#bytes : Buffer.concat([this.#bytes, ...this.#appended], this.#length),
      count,
      starts: this.#starts.subarray(0, count),
      ends: this.#ends.subarray(0, count),
      idStarts: this.#idStarts.subarray(0, count),
      idEnds: this.#idEnds.subarray(0, count),
      producers: this.#producers,
    };
  }

  #identity(k: number, from: number, to: number): void {
    const bytes = this.#bytes;
    const quoted = bytes[from] === QUOTE;
    const start = quoted ? from + 1 : from;
    const end = quoted ? to - 1 : to;
    this.#idStarts[k] = start;
    this.#idEnds[k] = end;
    let at = start;
    while (at < end && bytes[at] !== BACKSLASH) at += 1;
    if (at === end) return;
    const canonical = identityText(textOf(bytes, start, end));
    this.#appended.push(canonical);
    this.#idStarts[k] = this.#length;
    this.#length += canonical.length;
    this.#idEnds[k] = this.#length;
  }

  #producer(k: number, start: number, end: number): void {
    const text = Buffer.from(this.#bytes.subarray(start, end)).toString();
    const { id, epoch, seq } = text.includes('\\') ? escapedProducer(text) : (JSON.parse(text) as Producer);
    // Adding zero turns a `-0` into the count that it means.
    this.#producers.set(k, { id, epoch: epoch + 0, seq: seq + 0 });
  }

  #grow(): void {
    this.#starts = doubled(this.#starts);
    this.#ends = doubled(this.#ends);
    this.#idStarts = doubled(this.#idStarts);
    this.#idEnds = doubled(this.#idEnds);
  }
}

/**
 * Reads a producer that has escapes without `JSON.parse`: that of this engine can give a name with an escape the name of a property
 * that some other text had in this place before (https://github.com/nodejs/node/issues/63785), and texts are other people's.
 */
function escapedProducer(text: string): Producer {
  const read = readTree(text);
  assert('tree' in read && read.tree.kind === 'object', 'a producer that was scanned is an object');
  const { members } = read.tree;
  const value = (name: string): unknown => {
    const member = members.get(name);
    return member?.kind === 'plain' ? member.value : undefined;
  };
  const [id, epoch, seq] = [value('id'), value('epoch'), value('seq')];
  assert(typeof id === 'string' && typeof epoch === 'number' && typeof seq === 'number', 'a producer that was scanned has its fields');
  return { id, epoch, seq };
}

function doubled(column: Uint32Array): Uint32Array {
  const larger = new Uint32Array(column.length * 2);
  larger.set(column);
  return larger;
}
