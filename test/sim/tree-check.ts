import { hash } from 'node:crypto';
import type { ReadEntry } from './ledger-check.ts';

/** The heads that the tree ever showed, over all lives. */
export class TreeWatch {
  readonly #roots = new Map<number, Set<string>>();

  /** Somebody has looked at the tree. */
  head(head: { readonly size: number; readonly root: string }): void {
    const roots = this.#roots.get(head.size) ?? new Set();
    this.#roots.set(head.size, roots.add(head.root));
  }

  /**
   * Compares every head with the tree over the entries as they are at the end, by the definition of RFC 6962 and none of the
   * product's code.
   */
  compare(entries: readonly ReadEntry[]): string[] {
    const leaves = entries.map(({ line }) => sha256(LEAF, Buffer.from(line)));
    const known = new Map<string, Buffer>();
    return [...this.#roots].flatMap(([size, roots]) => {
      const root = rootOf(leaves, 0, size, known).toString('base64');
      return [...roots]
        .filter((shown) => shown !== root)
        .map((shown) => `the tree of ${size} entries was shown as ${shown} and is ${root}`);
    });
  }
}

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

/** MTH of RFC 6962, section 2.1, over the leaves from `from` to `end`. Subtrees are `known` once they were needed. */
function rootOf(leaves: readonly Buffer[], from: number, end: number, known: Map<string, Buffer>): Buffer {
  const count = end - from;
  if (count === 0) return sha256();
  if (count === 1) return leaves[from] as Buffer;
  const key = `${from}-${end}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  let left = 1;
  while (left * 2 < count) left *= 2;
  const root = sha256(NODE, rootOf(leaves, from, from + left, known), rootOf(leaves, from + left, end, known));
  known.set(key, root);
  return root;
}

function sha256(...parts: readonly Buffer[]): Buffer {
  return hash('sha256', Buffer.concat(parts), 'buffer');
}
