import { DEPTH_MAX } from './check-rules.ts';

/**
 * JSON as it was written: unlike a value of `JSON.parse` it knows where each part stands and which names came twice.
 * Places count characters of the text.
 */
export type Tree = ObjectTree | ListTree | PlainTree;

/** An object. A name that came twice keeps its first value. */
export interface ObjectTree {
  readonly kind: 'object';
  readonly members: ReadonlyMap<string, Tree>;
  readonly repeated: ReadonlySet<string>;
  readonly start: number;
  readonly end: number;
}

/** An array. */
export interface ListTree {
  readonly kind: 'list';
  readonly items: readonly Tree[];
}

/** A string, a number, `true`, `false` or `null`. */
export interface PlainTree {
  readonly kind: 'plain';
  readonly value: string | number | boolean | null;
  readonly text: string;
}

/** A tree, or where and why there is none. */
export type ReadTree = { readonly tree: Tree } | { readonly at: number; readonly why: 'not-json' | 'too-deep' };

const SPACES = new Set([' ', '\t', '\r', '\n']);
const STRING = /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*"/y;
const PLAIN = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;
const COLON = /:/y;

/** Reads JSON text, also white space around it, into a tree, or tells the place of the token at which that ends. */
export function readTree(text: string): ReadTree {
  const reader = new TreeReader(text);
  try {
    return { tree: reader.whole() };
  } catch (error) {
    if (error instanceof Unreadable) return { at: reader.at, why: error.why };
    throw error;
  }
}

const NONE: ReadonlySet<string> = new Set();

class Unreadable extends Error {
  readonly why: 'not-json' | 'too-deep';

  constructor(why: 'not-json' | 'too-deep') {
    super(why);
    this.why = why;
  }
}

class TreeReader {
  at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Tree {
    const tree = this.#value(1);
    this.#skip();
    if (this.at < this.#text.length) throw new Unreadable('not-json');
    return tree;
  }

  #value(depth: number): Tree {
    this.#skip();
    const first = this.#text[this.at];
    if ((first === '{' || first === '[') && depth > DEPTH_MAX) throw new Unreadable('too-deep');
    if (first === '{') return this.#object(depth);
    if (first === '[') return this.#list(depth);
    const text = this.#take(first === '"' ? STRING : PLAIN);
    return { kind: 'plain', value: first === '"' ? stringOf(text) : (JSON.parse(text) as PlainTree['value']), text };
  }

  #object(depth: number): ObjectTree {
    const start = this.at;
    const members = new Map<string, Tree>();
    let repeated: Set<string> | null = null;
    for (let more = this.#opens('}'); more; more = this.#goesOn('}')) {
      const name = stringOf(this.#take(STRING));
      this.#skip();
      this.#take(COLON);
      const member = this.#value(depth + 1);
      if (members.has(name)) (repeated ??= new Set()).add(name);
      else members.set(name, member);
    }
    return { kind: 'object', members, repeated: repeated ?? NONE, start, end: this.at };
  }

  #list(depth: number): ListTree {
    const items: Tree[] = [];
    for (let more = this.#opens(']'); more; more = this.#goesOn(']')) items.push(this.#value(depth + 1));
    return { kind: 'list', items };
  }

  /** Steps over the opening bracket, and over the closing one when nothing stands between them. */
  #opens(close: string): boolean {
    this.at += 1;
    this.#skip();
    if (this.#text[this.at] !== close) return true;
    this.at += 1;
    return false;
  }

  /** Steps over the comma before the next item, or over the closing bracket. */
  #goesOn(close: string): boolean {
    this.#skip();
    const byte = this.#text[this.at];
    if (byte !== ',' && byte !== close) throw new Unreadable('not-json');
    this.at += 1;
    if (byte === ',') this.#skip();
    return byte === ',';
  }

  #skip(): void {
    while (SPACES.has(this.#text[this.at] ?? '')) this.at += 1;
  }

  #take(pattern: RegExp): string {
    const start = this.at;
    pattern.lastIndex = start;
    // `test` and not `exec`: a fault in each of ten thousand events should not cost a match array per token.
    if (!pattern.test(this.#text)) throw new Unreadable('not-json');
    this.at = pattern.lastIndex;
    return this.#text.slice(start, this.at);
  }
}

function stringOf(token: string): string {
  return token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
}
