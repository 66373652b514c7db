import type { Config } from '../config/config.ts';
import { isWaybillError } from '../contracts/errors.ts';
import type { Heads } from '../contracts/heads.ts';
import type { Clock, Log } from '../contracts/ports.ts';
import type { Index, Size } from '../contracts/units.ts';
import { asIndex, asSize } from '../contracts/units.ts';
import type { Intake } from '../intake/sequencer.ts';
import type { EmbeddedLedger } from '../ledger/embedded/embedded.ts';
import type { OpenIdentities } from '../ledger/identities/identities.ts';
import { destinationHolders, type Holder, holderBelow } from './holders.ts';
import { receivedAt } from './start-index.ts';

/** What retention does with a destination that is too far behind. */
export interface Detachable {
  /** Gives up what it needs through an index, declared and durable; nothing is sent until an operator acts. */
  detach(through: Index): Promise<boolean>;
}

/** What retention works with. */
export interface RetentionOptions {
  readonly ledger: EmbeddedLedger;
  readonly identities: Pick<OpenIdentities, 'watermark' | 'persist' | 'facts'>;
  readonly tree: { size(): Size; pin(to: Size): Promise<void>; root(size: Size): Promise<string> };
  readonly heads: Pick<Heads, 'published'>;
  readonly intake: Pick<Intake, 'control' | 'clockDoubt' | 'checkClock' | 'confirmClock'>;
  readonly ports: { readonly clock: Clock; readonly log: Log };
  /** The configuration at work: asked each round. */
  readonly config: () => Pick<Config, 'ledger' | 'destinations'>;
  readonly destinations: ReadonlyMap<string, Detachable>;
}

/** Retention as an operator sees it. */
export interface RetentionStatus {
  /** `off`: nothing is ever removed. `idle`: nothing has to go. `held`: something has to go and cannot. */
  readonly state: 'off' | 'idle' | 'held';
  /**
   * Who or what holds it. `clock`: age is no reason to remove anything until an operator has confirmed the clock. `heads`: the removal is
   * declared, and not under a published head yet.
   */
  readonly held_by: {
    readonly kind: Holder['kind'] | 'clock' | 'snapshots' | 'heads';
    readonly name: string;
    readonly index: number;
  } | null;
  /** Entries that were removed since the start. */
  readonly removed: number;
}

/** The loop that removes what may go. */
export interface Retention {
  status(): RetentionStatus;
  /** Declares that the clock is right, so that age counts again. Answers whether that was in doubt. */
  confirmClock(): Promise<boolean>;
  /** Resolves with the reason when it ended by a mistake of this program, and never otherwise. */
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

const EVERY_MS = 1_000;

/** How often and how many times it is looked whether a removal is under a published head. */
const SEAL_LOOK_MS = 100;
const SEAL_LOOKS = 20;

/** Looks once a second what has to go, and removes what nobody needs. */
export function startRetention(options: RetentionOptions): Retention {
  const { intake, ports } = options;
  const stop = new AbortController();
  const round = new RetentionRound(options, stop.signal);
  let told = '';
  const rounds = async (): Promise<void> => {
    for (;;) {
      await ports.clock.sleep(EVERY_MS, stop.signal);
      try {
        await round.run();
        told = '';
      } catch (error) {
        if (!isWaybillError(error)) throw error;
        // The next round tries again; it is told once for each kind of failure.
        if (told !== error.code) ports.log.warn('retention could not go on', { code: error.code, message: error.message });
        told = error.code;
      }
    }
  };
  const failed = Promise.withResolvers<Error>();
  const done = rounds().catch((error: unknown) => {
    if (!stop.signal.aborted) failed.resolve(error instanceof Error ? error : new Error(String(error)));
  });
  return {
    failed: failed.promise,
    status: () => round.status(),
    async confirmClock() {
      const doubt = intake.clockDoubt();
      if (doubt !== null) await intake.confirmClock();
      return doubt !== null;
    },
    async close() {
      stop.abort(new Error('the pipeline is stopped'));
      await done;
    },
  };
}

type Reason = 'age' | 'bytes';

/** One look after another. Nothing is remembered between two but what a status shows. */
class RetentionRound {
  readonly #options: RetentionOptions;
  readonly #stop: AbortSignal;
  #heldBy: RetentionStatus['held_by'] = null;
  #removed = 0;

  constructor(options: RetentionOptions, stop: AbortSignal) {
    this.#options = options;
    this.#stop = stop;
  }

  status(): RetentionStatus {
    const { ageMs, bytes } = this.#options.config().ledger.retain;
    const state = ageMs === null && bytes === null ? 'off' : this.#heldBy === null ? 'idle' : 'held';
    return { state, held_by: state === 'held' ? this.#heldBy : null, removed: this.#removed };
  }

  async run(): Promise<void> {
    await this.#declareForgotten();
    const wanted = await this.#wanted();
    this.#heldBy = wanted.heldBy;
    if (wanted.to === 0) return;
    const to = asIndex(wanted.to);
    if (this.#options.ledger.prunable(to) === null) {
      this.#hold({ kind: 'snapshots', name: '', index: this.#options.ledger.beginning() });
      return;
    }
    for (const holder of this.#holders()) if (holder.index < to) await this.#detachIfLate(holder, to);
    const holder = holderBelow(this.#holders(), to);
    if (holder !== null) this.#hold(holder);
    await this.#remove(holder === null ? to : holder.index, wanted.reason);
  }

  /** Keeps the first reason that a round meets. */
  #hold({ kind, name, index }: NonNullable<RetentionStatus['held_by']>): void {
    this.#heldBy ??= { kind, name, index };
  }

  #holders(): readonly Holder[] {
    const { ledger, identities, config } = this.#options;
    const configured = new Set(config().destinations.map(({ name }) => name));
    const known: Holder = { kind: 'identities', name: '', index: asIndex(identities.watermark()) };
    return [known, ...destinationHolders(ledger.journal, configured, ledger.beginning())];
  }

  /** Below which index entries have to go, and why; 0 for none. */
  async #wanted(): Promise<{ readonly to: number; readonly reason: Reason; readonly heldBy: RetentionStatus['held_by'] }> {
    const { ledger, config, intake } = this.#options;
    const { retain } = config().ledger;
    const byBytes = retain.bytes === null ? 0 : this.#beyondBytes(retain.bytes);
    const byAge = retain.ageMs === null ? 0 : await this.#beyondAge(retain.ageMs);
    // After the time was read: a step that nobody has noticed yet must not make everything old.
    const doubt = await intake.checkClock();
    const heldBy = byAge > 0 && doubt !== null ? { kind: 'clock' as const, name: '', index: doubt } : null;
    const age = doubt === null ? byAge : 0;
    const unfinished = ledger.prunable(ledger.beginning()) === null ? 0 : ledger.beginning();
    return { to: Math.max(byBytes, age, unfinished), reason: age > byBytes ? 'age' : 'bytes', heldBy };
  }

  #beyondBytes(most: number): number {
    const { ledger } = this.#options;
    let { used } = ledger.space();
    let to = 0;
    for (const { end, bytes } of ledger.full()) {
      if (used <= most) break;
      used -= bytes;
      to = end;
    }
    return to;
  }

  /** A segment is as old as its last entry. */
  async #beyondAge(ageMs: number): Promise<number> {
    const { ledger, ports } = this.#options;
    const before = ports.clock.now() - ageMs;
    let to = 0;
    for (const { first, end } of ledger.full()) {
      if (first < ledger.beginning()) continue;
      // A segment is full from the moment its last entry is numbered, which may not be durable yet.
      if (end > ledger.size()) break;
      if ((await receivedAt(asIndex(end - 1), ledger)) >= before) break;
      to = end;
    }
    return to;
  }

  async #detachIfLate({ kind, name, index }: Holder, to: Index): Promise<void> {
    if (kind !== 'destination') return;
    const { ledger, config, destinations, intake, ports } = this.#options;
    const maxLag = config().destinations.find((destination) => destination.name === name)?.maxLag ?? null;
    if (maxLag === null) return;
    const now = ports.clock.now();
    if (maxLag.by === 'age' && (now - (await receivedAt(index, ledger)) <= maxLag.ms || (await intake.checkClock()) !== null)) return;
    if (maxLag.by === 'bytes' && lagBytes(ledger, index) <= maxLag.bytes) return;
    const going = ledger.prunable(to);
    if (going === null || going.through < index) return;
    if ((await destinations.get(name)?.detach(going.through)) === true)
      ports.log.error('a destination was too far behind and is detached', { destination: name, from: index, through: going.through });
  }

  async #remove(to: Index, reason: Reason): Promise<void> {
    const { ledger, identities, tree, intake, ports } = this.#options;
    const held = ledger.prunable(asIndex(Math.min(to, tree.size())));
    if (held === null) {
      if (identities.watermark() <= to) identities.persist();
      return;
    }
    const { from, through, bytes } = held;
    await tree.pin(asSize(through + 1));
    if (through >= ledger.beginning()) {
      const root = await tree.root(asSize(through + 1));
      const declared = await intake.control('prune', { from, through, bytes, reason, root }, `${from}-${through}`);
      if (!(await this.#isSealed(declared, from))) return;
    }
    // What was looked at may have changed meanwhile: somebody may need older entries again.
    if (holderBelow(this.#holders(), through + 1) !== null) return;
    await ledger.prune(asIndex(through + 1));
    this.#removed += through + 1 - from;
    ports.log.info('entries were removed by retention', { from, through, bytes, reason });
  }

  /** Nothing goes before there is a published head over its declaration. When that takes longer, the next round looks again. */
  async #isSealed(declared: Index, from: Index): Promise<boolean> {
    const { heads, ports } = this.#options;
    const before = this.#heldBy;
    const sealed = (): boolean => (heads.published()?.size ?? 0) > declared;
    if (!sealed()) this.#hold({ kind: 'heads', name: '', index: from });
    for (let looks = 0; looks < SEAL_LOOKS && !sealed(); looks++) await ports.clock.sleep(SEAL_LOOK_MS, this.#stop);
    if (sealed()) this.#heldBy = before;
    return sealed();
  }

  async #declareForgotten(): Promise<void> {
    const { forgottenBelow } = this.#options.identities.facts();
    if (forgottenBelow === 0) return;
    await this.#options.intake.control('identities.forgotten', { below: forgottenBelow }, String(forgottenBelow));
  }
}

/** What the ledger has grown by since an entry, in whole segments. */
function lagBytes(ledger: Pick<EmbeddedLedger, 'full' | 'space'>, index: Index): number {
  const before = ledger.full().filter(({ end }) => end <= index);
  return before.reduce((bytes, segment) => bytes - segment.bytes, ledger.space().used);
}
