import { parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { encodeHash } from '../../src/tlog/hash.ts';
import { parseVerifierKey, type VerifierKey } from '../../src/tlog/key.ts';
import { openNote, parseNote } from '../../src/tlog/note.ts';
import { checkEd25519, sha256 } from '../doubles/note-signer.ts';
import type { VirtualDisk } from './disk.ts';
import { type Attempt, indexOf, type Receiver, recordsOf } from './receiver.ts';
import { leafOf, rootOf, type TreeWatch } from './tree-check.ts';
import type { World } from './world.ts';

/** What one destination holds, and the roots of it that were computed. */
interface Holdings {
  readonly leaves: Buffer[];
  readonly known: Map<string, Buffer>;
  /** The leaves below this are all there. */
  whole: number;
}

/**
 * Does for every model destination what a careful receiver does with each checkpoint: opens it with the key of the log, and compares the
 * root with that of what it holds, where it holds everything. None may cover more than the destination was ever given, or than was
 * recorded when a later process starts.
 */
export class CheckpointWatch {
  readonly #world: World;
  readonly #heads: TreeWatch;
  readonly #key: VerifierKey;
  readonly #holdings = new Map<string, Holdings>();
  #largest = 0;
  /** How many came, in batches and by themselves. */
  came = 0;

  constructor(world: World, heads: TreeWatch, verifierKey: string) {
    this.#world = world;
    this.#heads = heads;
    this.#key = parseVerifierKey(sha256, verifierKey);
  }

  /** A destination keeps a batch. */
  applied(receiver: Receiver, attempt: Attempt): void {
    const { leaves } = this.#of(receiver.name);
    for (const record of recordsOf(attempt.body)) {
      const line = record.trimEnd();
      leaves[indexOf(line)] = leafOf(line.slice(line.indexOf(',"entry":') + ',"entry":'.length, -1));
    }
  }

  /** A checkpoint has come to a destination. */
  arrived(receiver: Receiver, note: string): void {
    const name = receiver.name;
    this.came += 1;
    const { size, root } = this.#open(name, note);
    if (size > receiver.reached) this.#world.fail(`${name} got a checkpoint over ${size} entries, and was only given ${receiver.reached}`);
    const held = this.#of(name);
    while (held.leaves[held.whole] !== undefined) held.whole += 1;
    if (size > held.whole) return;
    const own = rootOf(held.leaves, 0, size, held.known).toString('base64');
    if (own !== root) this.#world.fail(`${name} got the root ${root} over ${size} entries, and holds ${own}`);
  }

  /** A process starts with this recorded head. */
  started(recorded: number): void {
    if (recorded < this.#largest)
      this.#world.fail(`a checkpoint over ${this.#largest} entries was sent, and a process starts with one over ${recorded}`);
  }

  /** The ledger begins anew from what a destination had, so that no head is recorded yet. */
  forget(): void {
    this.#largest = 0;
  }

  /** Reads the checkpoint beside the file of the real sink when all is over. Answers what is wrong with it. */
  checkFile(disk: VirtualDisk, path: string, lines: number): readonly string[] {
    const bytes = disk.peek(`${path}.checkpoint`);
    if (bytes === null) return [`${path} has ${lines} lines and no checkpoint`];
    const { size } = this.#open(path, Buffer.from(bytes).toString());
    return size === lines ? [] : [`${path} has ${lines} lines, and its newest checkpoint covers ${size}`];
  }

  #open(name: string, note: string): { readonly size: number; readonly root: string } {
    const parsed = parseNote(Buffer.from(note));
    if (openNote(parsed, [this.#key], checkEd25519).length !== 1) this.#world.fail(`${name} got a checkpoint that the log has not signed`);
    const { size, root: hash } = parseCheckpoint(parsed.text);
    const root = encodeHash(hash);
    this.#heads.head({ size, root });
    this.#largest = Math.max(this.#largest, size);
    return { size, root };
  }

  #of(name: string): Holdings {
    const held = this.#holdings.get(name) ?? { leaves: [], known: new Map<string, Buffer>(), whole: 0 };
    this.#holdings.set(name, held);
    return held;
  }
}

/** The size of the newest head that a process finds recorded; `null` where none ever was. */
export function recordedSize(text: string | null): number | null {
  return text === null ? null : (JSON.parse(text) as { readonly size: number }).size;
}
