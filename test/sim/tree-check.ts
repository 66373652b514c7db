import { createHash } from 'node:crypto';
import type { ReadEntry } from './ledger-check.ts';

/** The heads that the tree ever showed, over all lives. */
export class TreeWatch {
  readonly #roots = new Map<number, Set<string>>();

  /** Somebody has looked at the tree. */
  head(head: { readonly size: number; readonly root: string }): void {
    const roots = this.#roots.get(head.size) ?? new Set();
    this.#roots.set(head.size, roots.add(head.root));
  }

  /** Compares every head with the tree over the entries as they are at the end, by the definition of RFC 6962 and none of the product's code. */
  compare(entries: readonly ReadEntry[]): string[] {
    const leaves = entries.map(({ line }) => sha256(Buffer.from([0]), Buffer.from(line)));
    return [...this.#roots].flatMap(([size, roots]) => {
      const root = rootOf(leaves.slice(0, size)).toString('base64');
      return [...roots]
        .filter((shown) => shown !== root)
        .map((shown) => `the tree of ${size} entries was shown as ${shown} and is ${root}`);
    });
  }
}

/** MTH of RFC 6962, section 2.1. */
function rootOf(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0] as Buffer;
  let left = 1;
  while (left * 2 < leaves.length) left *= 2;
  return sha256(Buffer.from([1]), rootOf(leaves.slice(0, left)), rootOf(leaves.slice(left)));
}

function sha256(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
