import { assert } from '../contracts/assert.ts';
import type { ErrorCode } from '../contracts/errors.ts';
import { ERROR_CODES } from '../contracts/errors.ts';
import type { Heads, PublishedHead } from '../contracts/heads.ts';
import type { CheckpointTraits, Sink } from '../contracts/sink.ts';
import { asSize, type Index, type Size } from '../contracts/units.ts';
import { standsAt } from './account.ts';
import { attempt } from './attempt.ts';
import type { DestinationOptions } from './destination.ts';
import { faultOf } from './fault.ts';
import { mayBegin } from './lanes.ts';
import { timeoutOf } from './sink-calls.ts';
import { type Fault, flying, type State } from './state.ts';

/** After failures in a row the pause doubles up to this. */
const PAUSE_MS_MAX = 60_000;

/** What a courier works with. */
export interface CourierParts {
  readonly options: DestinationOptions;
  readonly heads: Heads;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
  state(): State;
  /** `null` until it is open. */
  sink(): Sink | null;
  /** Resolves once `condition` holds after a step, and rejects when delivery stops before. */
  until(condition: () => boolean): Promise<void>;
}

/** What an operator sees of the checkpoints of a destination. */
export interface CheckpointStatus {
  /** How many entries the newest one covers that the destination took since the start of the process; `null`: none was. */
  readonly size: Size | null;
  /** When it took it, in milliseconds since 1970. */
  readonly at: number | null;
  /** Why the last one that went by itself was not taken; `null`: it was. */
  readonly fault: { readonly code: ErrorCode; readonly message: string; readonly action: string } | null;
}

/**
 * Brings the checkpoints of one destination: in a batch where that can carry one, and by themselves. It never brings one over more than
 * the destination then has, so that whoever keeps everything can check each at once. It is no part of delivery: nothing waits for it,
 * and no failure of it stops anything.
 */
export class CheckpointCourier {
  readonly #parts: CourierParts;
  /** A head over more than the destination had when it was published: it goes once that has come, if no newer one can. */
  #ahead: PublishedHead | null = null;
  /** The note that set out last in a batch. A batch that comes back is the same batch. */
  #carried: string | null = null;
  #taken: { readonly note: string; readonly size: Size; readonly at: number } | null = null;
  /** From when on the next may set out, on the monotonic clock. */
  #dueAt = Number.NEGATIVE_INFINITY;
  #fault: Fault | null = null;
  #failures = 0;

  constructor(parts: CourierParts) {
    this.#parts = parts;
  }

  /** The checkpoint of a batch that is cut now and ends with `through`, if it carries one. */
  forBatch(through: Index): string | undefined {
    const traits = this.#traits();
    if (traits?.inBatch !== true || this.#clock.monotonic() < this.#dueAt) return undefined;
    const head = this.#coveredBy(through + 1);
    if (head === null || head.checkpoint === this.#carried || head.checkpoint === this.#taken?.note) return undefined;
    this.#carried = head.checkpoint;
    this.#setOut(traits);
    return head.checkpoint;
  }

  /** The destination took a batch that carries this. */
  taken(note: string): void {
    this.#note(note, sizeOf(note));
  }

  /** `null` where no checkpoint ever goes. */
  status(): CheckpointStatus | null {
    if (this.#parts.sink() !== null && this.#traits() === undefined) return null;
    const fault = this.#fault;
    return {
      size: this.#taken?.size ?? null,
      at: this.#taken?.at ?? null,
      fault: fault === null ? null : { code: fault.code, message: fault.message, action: ERROR_CODES[fault.code].action },
    };
  }

  /** Brings checkpoints by themselves until the signal ends it. */
  async run(): Promise<void> {
    const { heads, signal } = this.#parts;
    try {
      await this.#parts.until(() => this.#parts.sink() !== null);
      const traits = this.#traits();
      if (traits === undefined) return;
      let seen: PublishedHead | null = null;
      for (;;) {
        const newer = await heads.waitNewer(seen, signal);
        await this.#turn(newer, traits);
        const covered = this.#coveredBy(this.#parts.state().account.live.cursor);
        seen = covered !== null && covered.size >= newer.size ? covered : newer;
        if (seen.checkpoint !== this.#taken?.note) await this.#send(seen, traits);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Waits until a checkpoint may set out and the destination has what `head` covers. */
  async #turn(head: PublishedHead, traits: CheckpointTraits): Promise<void> {
    do {
      const pause = this.#dueAt - this.#clock.monotonic();
      // Whole milliseconds: what is left over by rounding would not let the clock move on.
      if (pause > 0) await this.#clock.sleep(Math.ceil(pause), this.#parts.signal);
      await this.#parts.until(() => this.#has(head.size, traits));
    } while (this.#clock.monotonic() < this.#dueAt);
  }

  /** Whether the destination has every entry below `size`, and nothing else should go first. */
  #has(size: Size, { inBatch }: CheckpointTraits): boolean {
    const state = this.#parts.state();
    const { side } = state.account;
    if (!mayBegin(state) || side !== null || standsAt(state.account) < size) return false;
    return !inBatch || (flying(state) === 0 && state.account.live.cursor >= this.#parts.options.ledger.size());
  }

  async #send({ size, checkpoint: note }: PublishedHead, traits: CheckpointTraits): Promise<void> {
    const { options, signal: closing } = this.#parts;
    const sink = this.#parts.sink();
    assert(sink?.checkpoint !== undefined, 'a sink whose traits name checkpoints takes them');
    this.#setOut(traits);
    try {
      await attempt((signal) => sink.checkpoint?.({ size, note }, signal) ?? Promise.resolve(), timeoutOf(options), this.#clock, closing);
      this.#note(note, size);
      this.#report(null);
    } catch (error) {
      if (closing.aborted) return;
      this.#failures += 1;
      this.#report(faultOf(error, 'SINK_FAILED'));
      this.#setOut(traits);
    }
  }

  #note(note: string, size: Size): void {
    this.#failures = 0;
    // A batch that was in doubt may come back with an older one.
    if (this.#taken !== null && size < this.#taken.size) return;
    this.#taken = { note, size, at: this.#clock.now() };
  }

  #setOut({ everyMs }: CheckpointTraits): void {
    const pause = this.#failures === 0 ? everyMs : Math.max(everyMs, Math.min(PAUSE_MS_MAX, everyMs * 2 ** Math.min(this.#failures, 20)));
    this.#dueAt = this.#clock.monotonic() + pause;
  }

  /** Tells the operators' log when checkpoints are not taken, and when they are again. */
  #report(fault: Fault | null): void {
    const { name: destination, ports } = this.#parts.options;
    const before = this.#fault;
    this.#fault = fault;
    if (fault?.code === before?.code) return;
    if (fault === null) ports.log.info('a destination takes checkpoints again', { destination });
    else if (fault.code === 'CHECKPOINT_CONFLICT') ports.log.error('a destination has another history', told(destination, fault));
    else ports.log.warn('a destination does not take checkpoints', told(destination, fault));
  }

  /** The newest head over no more than `end` entries that is known. */
  #coveredBy(end: number): PublishedHead | null {
    const newest = this.#parts.heads.published();
    if (newest !== null && newest.size <= end) {
      this.#ahead = null;
      return newest;
    }
    const reached = this.#ahead !== null && this.#ahead.size <= end ? this.#ahead : null;
    if (this.#ahead === null || reached !== null) this.#ahead = newest;
    return reached;
  }

  #traits(): CheckpointTraits | undefined {
    return this.#parts.sink()?.traits.checkpoints;
  }

  get #clock() {
    return this.#parts.options.ports.clock;
  }
}

/** The size that a checkpoint names, C2SP tlog-checkpoint: its second line. It was written here and not received. */
function sizeOf(note: string): Size {
  return asSize(Number(note.split('\n', 2)[1]));
}

function told(destination: string, { code, message }: Fault) {
  return { destination, code, message };
}
