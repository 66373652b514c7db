import { type Document, isAlias, isMap, isNode, isSeq, LineCounter, type Node, parseDocument } from 'yaml';

/** A place in a text file, both counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A way into a configuration: names of keys and places in lists. */
export type ConfigPath = readonly (string | number)[];

/** A YAML text that was read: its plain value, what was wrong with it as YAML, and where each value stands. */
export interface PlacedValue {
  readonly value: unknown;
  readonly faults: readonly { readonly place: Place; readonly message: string }[];
  /** Where the value of a path stands; where there is none, the nearest one around it. `key`: where the last key itself stands. */
  placeOf(path: ConfigPath, part?: 'key' | 'value'): Place;
}

/** Reads one YAML 1.2 document. Tags, several documents and repeated keys are faults. */
export function readYaml(text: string): PlacedValue {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    version: '1.2',
    schema: 'core',
    uniqueKeys: true,
    logLevel: 'silent',
  });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const faults = [...document.errors, ...document.warnings].map((error) => ({ place: at(error.pos[0]), message: oneLine(error.message) }));
  let value: unknown = null;
  // A broken document has no value to trust, and one that unfolds its aliases without end is refused here.
  if (faults.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: 100 });
      if (holdsItself(value, new Set()))
        faults.push({ place: { line: 1, column: 1 }, message: 'an alias stands inside what it is an alias of' });
    } catch (error) {
      faults.push({ place: { line: 1, column: 1 }, message: oneLine(error instanceof Error ? error.message : String(error)) });
    }
  }
  return { value, faults, placeOf: (path, part = 'value') => at(offsetOf(document, path, part)) };
}

function offsetOf(document: Document, path: ConfigPath, part: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, step] of path.entries()) {
    const found = stepInto(document, node, step);
    if (found === null) return offset;
    const wanted = part === 'key' && depth === path.length - 1 ? found.key : found.value;
    offset = startOf(wanted) ?? startOf(found.key) ?? offset;
    node = found.value;
  }
  return offset;
}

function stepInto(document: Document, node: unknown, step: string | number): { readonly key: unknown; readonly value: unknown } | null {
  const inner = isAlias(node) ? node.resolve(document) : node;
  if (isMap(inner)) {
    const pair = inner.items.find(({ key }) => String(isNode(key) ? key.toJSON() : key) === String(step));
    return pair === undefined ? null : { key: pair.key, value: pair.value };
  }
  if (isSeq(inner) && typeof step === 'number') {
    const item = inner.items[step];
    return item === undefined ? null : { key: item, value: item };
  }
  return null;
}

function startOf(node: unknown): number | null {
  return isNode(node) ? ((node as Node).range?.[0] ?? null) : null;
}

function holdsItself(value: unknown, around: ReadonlySet<unknown>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const inside = new Set(around).add(value);
  return around.has(value) || Object.values(value).some((item) => holdsItself(item, inside));
}

function oneLine(message: string): string {
  return message.split('\n')[0] ?? message;
}
