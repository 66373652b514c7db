import { WaybillError } from '../contracts/errors.ts';
import type { Caller } from './guard.ts';

/** A request whose sender is known and allowed to make it. */
export interface Call {
  readonly caller: Caller;
  /** The parts of the path that its route leaves open. */
  readonly params: readonly string[];
  readonly query: Query;
  /** A header by its name in lower case. */
  header(name: string): string | undefined;
  /**
   * The whole body, with a line feed behind it; at most `most` bytes, or what the configuration allows. Rejects with `BODY_TOO_LARGE` or
   * `OVERLOADED`. It is read once, by the first call.
   */
  body(most?: number): Promise<Buffer>;
  /** Counts memory that the request takes until it is answered. Throws `OVERLOADED`. */
  hold(bytes: number): void;
  /** Ends when the server is stopped. */
  readonly signal: AbortSignal;
  /** Ends when the request has been answered, or its sender has gone away. For answers that take long. */
  whenGone(): AbortSignal;
}

/** The parameters of a request. Every parameter that is there must be read: one that nobody knows is a mistake of the sender. */
export type Query = ReadonlyMap<string, string>;

const NO_QUERY: Query = new Map();

/** Reads the part of a URL behind the question mark. */
export function parseQuery(text: string): Query {
  if (text === '') return NO_QUERY;
  const query = new Map<string, string>();
  // A question mark at the beginning of the text would be left out.
  for (const [name, value] of new URLSearchParams(`&${text}`)) {
    if (query.has(name)) throw new WaybillError('REQUEST_INVALID', `the parameter ${shown(name)} is there twice`);
    query.set(name, value);
  }
  return query;
}

/** Refuses parameters that are not among `known`. */
export function onlyKnown(query: Query, known: readonly string[]): void {
  for (const name of query.keys()) {
    if (known.includes(name)) continue;
    const others = known.length === 0 ? 'this path takes none' : `this path takes ${known.join(', ')}`;
    throw new WaybillError('REQUEST_INVALID', `the parameter ${shown(name)} is unknown; ${others}`);
  }
}

/** A parameter that is a whole number. */
export function wholeNumber(query: Query, name: string, absent: number, most: number): number {
  const text = query.get(name);
  if (text === undefined) return absent;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= most))
    throw new WaybillError('REQUEST_INVALID', `the parameter ${name} is ${shown(text)}, not a whole number up to ${most}`);
  return value;
}

/** A parameter that is `true` or `false`. */
export function flag(query: Query, name: string): boolean {
  const text = query.get(name) ?? 'false';
  if (text !== 'true' && text !== 'false')
    throw new WaybillError('REQUEST_INVALID', `the parameter ${name} is ${shown(text)}, not true or false`);
  return text === 'true';
}

/** What somebody sent, short and without anything that a terminal would act on. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
}
