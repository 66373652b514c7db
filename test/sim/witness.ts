import { isWaybillError } from '../../src/contracts/errors.ts';
import type { PublishedHead, TreeHashes } from '../../src/contracts/heads.ts';
import { asSize } from '../../src/contracts/units.ts';
import { checkConsistency } from '../../src/tlog/proof.ts';
import { sha256 } from '../../src/tree/grow.ts';
import { verifyHead } from '../../src/tree/head-note.ts';
import type { World } from './world.ts';

/**
 * Somebody outside who keeps the newest head that the log ever showed, over all lives of its process, and believes the next one only when
 * it is signed and continues that one by a proof: as a witness of C2SP tlog-witness does it.
 */
export class Witness {
  readonly #world: World;
  readonly #verifierKey: string;
  #seen: { readonly size: number; readonly root: string } | null = null;

  constructor(world: World, verifierKey: string) {
    this.#world = world;
    this.#verifierKey = verifierKey;
  }

  /** Looks at a head that was published, and asks the log for the proof. Answers what is wrong with it. */
  async look(head: PublishedHead, tree: Pick<TreeHashes, 'consistency'>): Promise<string | null> {
    const before = this.#seen;
    if (!verifyHead(head.checkpoint, [this.#verifierKey]).some(({ key }) => key.algorithm === 1))
      return `the head over ${head.size} entries is not signed by the log`;
    if (before !== null && before.size > 0 && before.size < head.size) {
      const proof = await this.#proof(before.size, head.size, tree);
      const claim = { from: before.size, to: head.size, fromRoot: hashOf(before.root), toRoot: hashOf(head.root) };
      if (proof !== null && !checkConsistency(sha256, { ...claim, proof }))
        return `the head over ${head.size} entries does not continue the one over ${before.size}`;
      if (proof !== null) this.#world.happened('head proved to continue another');
    } else if (before?.size === head.size && before.root !== head.root) return `${head.size} entries have two heads`;
    this.#seen = { size: head.size, root: head.root };
    return null;
  }

  /** Without the proof nothing is believed; but whoever ruined the tree or broke a segment has to expect that there is none now. */
  async #proof(from: number, to: number, tree: Pick<TreeHashes, 'consistency'>): Promise<readonly string[] | null> {
    try {
      return await tree.consistency(asSize(from), asSize(to));
    } catch (error) {
      const ruined = this.#world.coverage.of('tree lost') > 0 || this.#world.coverage.of('segment changed') > 0;
      if (!isWaybillError(error) || !ruined) throw error;
      return null;
    }
  }
}

function hashOf(root: string): string {
  return Buffer.from(root, 'base64').toString('latin1');
}
