import type { Fault } from '../contracts/entry.ts';
import type { FaultCode } from '../contracts/faults.ts';
import { EVENT_BYTES_MAX, IDENTITY_BYTES_MAX } from '../contracts/units.ts';
import { characters, FORMS, textFault } from './check-forms.ts';
import type { IdentityRule, ObjectRule, Rule, TextRule } from './check-rules.ts';
import { DEPTH_MAX } from './check-rules.ts';
import type { ObjectTree, Tree } from './check-tree.ts';
import { readTree } from './check-tree.ts';

/** The most faults that are listed for one event: a sender corrects its program, not each item of a list. */
export const FAULTS_MAX = 20;

const POINTER_MAX = 256;

/**
 * What is wrong with an event: the readable second look at one that the scanner refused. It shares the rules with the scanner and nothing
 * else, and `JSON.parse` has the last word on what is JSON, so that each checks the other. An empty list means that it finds nothing.
 */
export function explain(event: Buffer, rule: ObjectRule): readonly Fault[] {
  const bytes = event.length;
  if (bytes > EVENT_BYTES_MAX) return [fault('', 'EVENT_TOO_LARGE', `has ${bytes} bytes, at most ${EVENT_BYTES_MAX} are allowed`)];
  const text = event.toString();
  const problem = jsonProblem(text);
  if (problem !== null) return [fault('', 'EVENT_NOT_JSON', `is not JSON at byte ${problem}`)];
  const read = readTree(text);
  if ('why' in read) {
    if (read.why === 'not-json') return [];
    return [fault('', 'EVENT_TOO_DEEP', `is nested more than ${DEPTH_MAX} deep at byte ${byteAt(text, read.at)}`)];
  }
  const { tree } = read;
  if (tree.kind !== 'object') return [fault('', 'EVENT_NOT_OBJECT', `must be an object, is ${nameOf(tree)}`)];
  const walk = new Walk(text);
  walk.repeated(tree, '');
  // What two readers would read differently has no fields to speak of.
  if (walk.faults.length === 0) walk.value(tree, rule, '');
  return walk.faults;
}

/** The byte at which text stops being JSON, or `null` when `JSON.parse` takes it. */
function jsonProblem(text: string): number | null {
  try {
    JSON.parse(text);
    return null;
  } catch {
    // The engine's own message quotes the text, which an error of ours must not.
    const read = readTree(text);
    return 'at' in read ? byteAt(text, read.at) : 0;
  }
}

function byteAt(text: string, at: number): number {
  return Buffer.byteLength(text.slice(0, at));
}

/** One fault; a path that is too long to be read is cut. */
export function fault(path: string, code: FaultCode, message: string): Fault {
  return { path: path.length > POINTER_MAX ? `${path.slice(0, POINTER_MAX)}…` : path, code, message };
}

class Walk {
  readonly faults: Fault[] = [];
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  repeated(tree: Tree, path: string): void {
    if (tree.kind === 'list') for (const [k, item] of tree.items.entries()) this.repeated(item, `${path}/${k}`);
    if (tree.kind !== 'object') return;
    for (const name of tree.repeated) this.#add(pointer(path, name), 'EVENT_DUPLICATE_KEY', 'is there more than once');
    for (const [name, member] of tree.members) this.repeated(member, pointer(path, name));
  }

  value(tree: Tree, rule: Rule, path: string): void {
    switch (rule.kind) {
      case 'any':
        return;
      case 'reserved':
        return this.#add(path, 'EVENT_RESERVED', 'is a reserved name');
      case 'identity':
        return this.#identity(tree, rule, path);
      case 'text':
        return this.#textValue(tree, rule, path);
      case 'choice':
        if (!isText(tree)) return this.#type(tree, 'a string', path);
        if (!rule.values.includes(tree.value)) this.#add(path, 'EVENT_FIELD_VALUE', `must be one of ${rule.values.join(', ')}`);
        return;
      case 'count':
        if (tree.kind !== 'plain' || typeof tree.value !== 'number') return this.#type(tree, 'an integer', path);
        if (!Number.isSafeInteger(tree.value) || tree.value < 0) {
          this.#add(path, 'EVENT_FIELD_VALUE', `must be an integer from 0 to ${Number.MAX_SAFE_INTEGER}`);
        }
        return;
      case 'flag':
        if (tree.kind !== 'plain' || typeof tree.value !== 'boolean') this.#type(tree, 'true or false', path);
        return;
      case 'scalar':
        if (tree.kind !== 'plain') this.#type(tree, 'a string, a number, true, false or null', path);
        return;
      case 'list':
        if (tree.kind !== 'list') return this.#type(tree, 'an array', path);
        if (tree.items.length > rule.max) this.#tooMany(tree.items.length, rule.max, 'items', path);
        for (const [k, item] of tree.items.entries()) this.value(item, rule.item, `${path}/${k}`);
        return;
      case 'object':
        return tree.kind === 'object' ? this.#object(tree, rule, path) : this.#type(tree, 'an object', path);
    }
  }

  #object(tree: ObjectTree, rule: ObjectRule, path: string): void {
    for (const name of rule.required) {
      if (!tree.members.has(name)) this.#add(pointer(path, name), 'EVENT_FIELD_MISSING', 'is required');
    }
    if (tree.members.size > (rule.namesMax ?? Infinity)) this.#tooMany(tree.members.size, rule.namesMax ?? 0, 'names', path);
    if (rule.bytesMax !== undefined) {
      const bytes = Buffer.byteLength(this.#text.slice(tree.start, tree.end));
      if (bytes > rule.bytesMax) this.#add(path, 'EVENT_FIELD_TOO_LONG', `has ${bytes} bytes, at most ${rule.bytesMax} are allowed`);
    }
    for (const [name, member] of tree.members) {
      const field = Object.hasOwn(rule.fields, name) ? rule.fields[name] : undefined;
      this.value(member, field ?? rule.others, pointer(path, name));
    }
  }

  #textValue(tree: Tree, rule: TextRule, path: string): void {
    if (!isText(tree)) return this.#type(tree, 'a string', path);
    const code = textFault(tree.value, rule);
    if (code === 'EVENT_FIELD_TOO_SHORT') this.#add(path, code, 'is empty');
    if (code === 'EVENT_FIELD_TOO_LONG') {
      this.#add(path, code, `has ${characters(tree.value)} characters, at most ${rule.max} are allowed`);
    }
    if (code === 'EVENT_FIELD_FORMAT' && rule.form !== undefined) this.#add(path, code, `must be ${FORMS[rule.form].words}`);
  }

  #identity(tree: Tree, rule: IdentityRule, path: string): void {
    const number = rule.numbers && tree.kind === 'plain' && typeof tree.value === 'number' ? tree.text : null;
    const text = number ?? (isText(tree) ? JSON.stringify(tree.value).slice(1, -1) : null);
    if (text === null) {
      const wanted = rule.numbers ? 'a string or a number' : 'a string';
      return this.#add(path, 'IDENTITY_INVALID', `must be ${wanted}, is ${nameOf(tree)}`);
    }
    const bytes = Buffer.byteLength(text);
    if (bytes === 0) this.#add(path, 'IDENTITY_INVALID', 'is empty');
    if (bytes > IDENTITY_BYTES_MAX) this.#add(path, 'IDENTITY_INVALID', `has ${bytes} bytes, at most ${IDENTITY_BYTES_MAX} are allowed`);
  }

  #type(tree: Tree, wanted: string, path: string): void {
    this.#add(path, 'EVENT_FIELD_TYPE', `must be ${wanted}, is ${nameOf(tree)}`);
  }

  #tooMany(count: number, max: number, what: string, path: string): void {
    this.#add(path, 'EVENT_TOO_MANY', `has ${count} ${what}, at most ${max} are allowed`);
  }

  #add(path: string, code: FaultCode, message: string): void {
    if (this.faults.length < FAULTS_MAX) this.faults.push(fault(path, code, message));
  }
}

function isText(tree: Tree): tree is Tree & { readonly kind: 'plain'; readonly value: string } {
  return tree.kind === 'plain' && typeof tree.value === 'string';
}

/** What a value is, without telling it. */
function nameOf(tree: Tree): string {
  if (tree.kind === 'object') return 'an object';
  if (tree.kind === 'list') return 'an array';
  if (tree.value === null) return 'null';
  return typeof tree.value === 'boolean' ? String(tree.value) : `a ${typeof tree.value}`;
}

/** A JSON Pointer (RFC 6901) one step further. */
function pointer(path: string, name: string): string {
  return /[~/]/.test(name) ? `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}` : `${path}/${name}`;
}
