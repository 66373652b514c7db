import { isWaybillError } from '../../src/contracts/errors.ts';
import type { Chance } from './chance.ts';
import { type BrokenSegment, Vandal } from './damage.ts';
import type { VirtualDisk } from './disk.ts';
import type { Attendant, Machine } from './machine.ts';
import type { OpenPipeline } from './pipeline.ts';
import type { Life, World } from './world.ts';

/** How often in one seed. */
const LOST_AFTER_REMOVAL_MAX = 6;

/**
 * Lets files be ruined behind the back of the process. What can be made again has to be, without a word to anybody. A broken segment has
 * to be noticed: by the start, by whoever reads it, or by the scrub; then an operator puts it back from a copy.
 */
export class Damage implements Attendant {
  /** What nobody has noticed yet. */
  broken: BrokenSegment | null = null;
  readonly #world: World;
  readonly #machine: Machine;
  readonly #vandal: Vandal;
  readonly #retains: boolean;

  /** `retains`: retention removes entries. */
  constructor(world: World, disk: VirtualDisk, machine: Machine, retains: boolean) {
    this.#world = world;
    this.#machine = machine;
    this.#retains = retains;
    this.#vandal = new Vandal(disk, world.chance.fork('vandal'), retains);
  }

  /**
   * In some seeds the newest snapshot is lost soon after retention has removed something, also when all else is calm: the second one has to
   * be enough.
   */
  followRemovals(): void {
    const chance = this.#world.chance.fork('after removal');
    let left = chance.hit(0.7) ? LOST_AFTER_REMOVAL_MAX : 0;
    this.#world.follow = (misfortune) => {
      if (misfortune !== 'entries removed by retention' || left === 0 || !chance.hit(0.7)) return;
      left -= 1;
      this.#world.plan(chance.logarithmic(20, 900), () => {
        // Whoever ends in order writes what this is about.
        if (!this.#machine.up) return;
        this.#machine.crash(chance.hit(0.3));
        if (this.#vandal.loseNewestSnapshot()) this.#world.happened('newest snapshot lost after a removal');
      });
    };
  }

  /** Ruins something that can be made again: mostly while no process runs. */
  loseDerived(chance: Chance): void {
    if (chance.hit(0.25)) {
      if (this.#vandal.damageIdentities()) this.#world.happened('identities damaged while running');
      return;
    }
    this.#machine.crash(chance.hit(0.3));
    const misfortune = this.#vandal.loseDerived();
    if (misfortune !== null) this.#world.happened(misfortune);
  }

  /** Breaks a segment while no process runs. One at a time, and none where retention may remove it before anybody looks. */
  breakSegment(chance: Chance): void {
    if (this.broken !== null || this.#retains) return;
    this.#machine.crash(chance.hit(0.3));
    this.broken = this.#vandal.breakSegment();
    if (this.broken !== null) this.#world.happened(this.broken.kind, this.broken.path);
  }

  expects(error: unknown): boolean {
    if (this.broken === null || !isWaybillError(error) || error.code !== 'LEDGER_CORRUPT') return false;
    if (this.#machine.pipeline === null) this.#world.happened('damage refused at the start');
    else this.#world.happened('damage met by a reader');
    this.#putBack();
    return true;
  }

  up(life: Life, pipeline: OpenPipeline): void {
    const { broken } = this;
    if (broken !== null) this.#world.watch('scrub', this.#scrub(life, pipeline, broken));
  }

  async #scrub(life: Life, pipeline: OpenPipeline, broken: BrokenSegment): Promise<void> {
    const found = await pipeline.scrub();
    if (this.broken !== broken || life.state === 'dead' || found === 'ended') return;
    if (found === 'whole') this.#world.fail(`${broken.path} is broken (${broken.kind}), and the scrub finds nothing wrong`);
    this.#world.happened('damage found by the scrub');
    this.#machine.crash(false);
    this.#putBack();
  }

  #putBack(): void {
    this.#world.tell(`operator: ${this.broken?.path} is put back`);
    this.broken?.undo();
    this.broken = null;
  }
}
