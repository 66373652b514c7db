import { type ErrorCode, WaybillError } from '../../src/contracts/errors.ts';
import type { SinkBatch } from '../../src/contracts/sink.ts';
import type { Chance } from './chance.ts';
import type { Life, World } from './world.ts';

/**
 * What a model destination does with a batch that it gets again. `position`: refuses what does not begin at its next index. `key`:
 * drops a batch
 * identity that it has. `objects`: the same, and the order of arrival does not matter. `none`: keeps both. `liar`: claims `position`
 * and keeps both.
 */
export type ReceiverKind = 'position' | 'key' | 'objects' | 'none' | 'liar';

/** What can go wrong on the way to a destination and at it. Odds are per attempt. */
export interface ReceiverOdds {
  readonly latencyMs: number;
  /** Nothing is sent: the destination cannot be reached. */
  readonly unreachable: number;
  /** It answers that it is busy, before it has taken anything. */
  readonly busy: number;
  /** It answers that the credentials are wrong, until an operator corrects them. */
  readonly unauthorized: number;
  /** It takes the batch and the answer is lost at once. */
  readonly answerLost: number;
  /** It takes the batch and never answers. */
  readonly hangAfter: number;
  /** The request is lost and nobody ever answers. */
  readonly hangBefore: number;
  /** The request arrives seconds later, perhaps after its sender has died. */
  readonly late: number;
}

/** One batch that was sent, as the network saw it. */
export interface Attempt {
  readonly life: Life;
  readonly from: number;
  readonly through: number;
  readonly count: number;
  readonly id: string;
  readonly sha256: string;
  readonly body: Uint8Array;
  readonly omitted: SinkBatch['omitted'];
  readonly replay: string | null;
  readonly checkpoint: string | null;
  readonly sentAt: number;
  /** What its sender learnt; `open` for ever when the sender died before. */
  answer: 'open' | 'taken' | 'failed' | 'lost';
  /** The code that came with a failure. */
  code: ErrorCode | null;
  /** It was lost, and is to be sent again. */
  forgotten: boolean;
}

/** Looks at what reaches a destination while it happens. */
export interface Inspector {
  sent(receiver: Receiver, attempt: Attempt): void;
  applied(receiver: Receiver, attempt: Attempt): void;
  /** A checkpoint has come to a destination, in a batch or by itself. */
  checkpoint(receiver: Receiver, note: string): void;
  /** What a destination had from an index on is lost for good. */
  forgotten(receiver: Receiver, index: number): void;
}

/** The far side of a destination: it outlives processes, and requests of a dead process may still reach it. */
export class Receiver {
  readonly name: string;
  readonly kind: ReceiverKind;
  odds: ReceiverOdds;
  /** True while somebody has pulled its plug. */
  down = false;
  unauthorized = false;
  /** Records that contain one of these texts are refused for good, until an operator corrects the destination. */
  readonly poison: readonly string[];
  /** False once an operator has corrected the destination. */
  poisoned = true;
  /** Says in the answer which records it refused. */
  readonly tellsRefused: boolean;
  /** The index that it needs next, when it counts them; `null` before a process has opened it. */
  next: number | null = null;
  /** The first index that it ever needed. */
  start = 0;
  /** How far it was ever given entries, whatever it lost since. */
  reached = 0;
  /** What it keeps, in the order in which it arrived. */
  readonly applied: Attempt[] = [];
  readonly attempts: Attempt[] = [];
  /** Set while it has less than it once acknowledged: what it lost, for the operator who restores it. */
  lost: { readonly next: number; readonly applied: readonly Attempt[] } | null = null;
  /** True once an operator had batches sent again as they were. */
  recovers = false;
  /** Grows when an operator changes its rules: a request that is still under way does not meet the new ones. */
  rules = 0;
  readonly #world: World;
  readonly #chance: Chance;
  readonly #keys = new Set<string>();
  readonly #inspector: Inspector;

  constructor(world: World, name: string, kind: ReceiverKind, odds: ReceiverOdds, poison: readonly string[], inspector: Inspector) {
    this.#world = world;
    this.poison = poison;
    this.#chance = world.chance.fork(`receiver/${name}`);
    this.name = name;
    this.kind = kind;
    this.odds = odds;
    this.#inspector = inspector;
    this.tellsRefused = this.#chance.hit(0.5);
  }

  /** One request with a batch. Resolves when the answer arrives; rejects as a sink must. */
  send(life: Life, batch: SinkBatch, signal: AbortSignal): Promise<void> {
    if (life.state === 'dead') return new Promise(() => {});
    const attempt = toAttempt(life, batch, this.#world.time);
    this.attempts.push(attempt);
    this.#inspector.sent(this, attempt);
    return new Promise((resolve, reject) => {
      const settle = (outcome: Attempt['answer'], error: WaybillError | null): void => {
        if (attempt.answer !== 'open') return;
        attempt.answer = outcome;
        attempt.code = error?.code ?? null;
        signal.removeEventListener('abort', aborted);
        this.#world.tell(
          `${this.name} ${attempt.from}..${attempt.through} by ${life.number}: ${outcome}${error === null ? '' : ` ${error.code}`}`,
        );
        if (error === null) resolve();
        else reject(error);
      };
      const aborted = (): void => settle('lost', new WaybillError('SINK_ANSWER_LOST', `no answer from ${this.name}`));
      if (signal.aborted) aborted();
      else {
        signal.addEventListener('abort', aborted);
        this.#carry(attempt, (outcome, error, delay) => this.#world.plan(delay, () => settle(outcome, error), life));
      }
    });
  }

  /** One request with a checkpoint and nothing else. It may be lost like any other. */
  bring(life: Life, note: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const lost = (): void => reject(new WaybillError('SINK_ANSWER_LOST', `no answer from ${this.name}`));
      if (signal.aborted) lost();
      signal.addEventListener('abort', lost);
      if (this.#chance.hit(this.odds.hangBefore)) return;
      const rules = this.rules;
      this.#world.plan(this.#delay(), () => {
        if (rules !== this.rules) return;
        const fails = this.down || this.#chance.hit(this.odds.unreachable);
        if (!fails) this.#inspector.checkpoint(this, note);
        if (this.#chance.hit(this.odds.hangAfter)) return;
        const answer = (): void => {
          signal.removeEventListener('abort', lost);
          if (fails) reject(new WaybillError('SINK_UNREACHABLE', `${this.name} cannot be reached`));
          else resolve();
        };
        this.#world.plan(this.#delay(), answer, life);
      });
    });
  }

  /** The index that it needs next, as it answers when asked. */
  ask(life: Life, signal: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      const lost = (): void => reject(new WaybillError('SINK_ANSWER_LOST', `no answer from ${this.name}`));
      if (signal.aborted) lost();
      signal.addEventListener('abort', lost);
      const fail = (code: ErrorCode): void => reject(new WaybillError(code, `${this.name} cannot say what it needs next`));
      if (this.#chance.hit(this.odds.hangBefore)) return;
      this.#world.plan(
        this.#delay() * 2,
        () => {
          signal.removeEventListener('abort', lost);
          if (this.down || this.#chance.hit(this.odds.unreachable)) fail('SINK_UNREACHABLE');
          else if (this.unauthorized) fail('SINK_UNAUTHORIZED');
          else resolve(this.next ?? 0);
        },
        life,
      );
    });
  }

  /** An operator makes it accept what it refused. Requests that are still under way do not reach it any more. */
  correct(): void {
    this.poisoned = false;
    this.rules += 1;
  }

  /** A process has opened it: where it counts, it counts from there, and says so to every later process. */
  begin(index: number): void {
    if (this.next !== null) return;
    this.start = index;
    this.next = index;
    this.reached = index;
  }

  /** A restore from an older copy: everything from `index` on is gone. */
  lose(index: number): void {
    if (this.lost !== null || this.next === null || index >= this.next) return;
    this.lost = { next: this.next, applied: [...this.applied] };
    this.rules += 1;
    this.next = index;
    const kept = this.applied.filter((attempt) => attempt.through < index);
    this.applied.splice(0, this.applied.length, ...kept);
  }

  /** Nobody restores what was lost: it will be sent again. */
  acceptLoss(): void {
    if (this.lost === null || this.next === null) return;
    const { next } = this;
    for (const attempt of this.attempts) if (attempt.through >= next) attempt.forgotten = true;
    this.lost = null;
    this.#inspector.forgotten(this, next);
  }

  /** An operator has batches sent again as they were. */
  willRecover(): void {
    this.recovers = true;
  }

  /** What was lost is back. */
  restore(): void {
    if (this.lost === null) return;
    this.next = this.lost.next;
    this.applied.splice(0, this.applied.length, ...this.lost.applied);
    this.lost = null;
  }

  #delay(): number {
    return this.odds.latencyMs * (0.5 + this.#chance.next());
  }

  #carry(attempt: Attempt, answer: (outcome: Attempt['answer'], error: WaybillError | null, delayMs: number) => void): void {
    const odds = this.odds;
    const chance = this.#chance;
    if (this.down || chance.hit(odds.unreachable)) {
      answer('failed', new WaybillError('SINK_UNREACHABLE', `${this.name} is unreachable`), this.#delay());
      return;
    }
    if (chance.hit(odds.hangBefore)) return;
    const underway = chance.hit(odds.late) ? chance.logarithmic(10, 20_000) : this.#delay();
    const rules = this.rules;
    this.#world.plan(underway, () => {
      if (rules !== this.rules) return;
      const error = this.#arrive(attempt);
      if (error !== null) answer('failed', error, this.#delay());
      else if (chance.hit(odds.answerLost)) answer('lost', new WaybillError('SINK_ANSWER_LOST', `${this.name} hung up`), this.#delay());
      else if (!chance.hit(odds.hangAfter)) answer('taken', null, this.#delay());
    });
  }

  /** Takes or refuses a request that has arrived. */
  #arrive(attempt: Attempt): WaybillError | null {
    const chance = this.#chance;
    if (chance.hit(this.odds.unauthorized)) this.unauthorized = true;
    if (this.unauthorized) return new WaybillError('SINK_UNAUTHORIZED', `${this.name} does not know us`);
    if (this.down || chance.hit(this.odds.busy)) {
      const details = chance.hit(0.5) ? { retryAfterMs: chance.int(10, 2_000) } : {};
      return new WaybillError('SINK_BUSY', `${this.name} is busy`, details);
    }
    const refused = this.#refused(attempt);
    if (refused.length > 0) {
      return new WaybillError('SINK_REFUSED_ENTRY', `${this.name} refuses ${refused.length} records`, this.tellsRefused ? { refused } : {});
    }
    if (this.kind === 'position' && attempt.from !== this.next) {
      return new WaybillError('SINK_OUT_OF_TURN', `${this.name} needs ${this.next}, not ${attempt.from}`);
    }
    this.reached = Math.max(this.reached, attempt.through + 1);
    const known = this.#keys.has(attempt.id);
    this.#keys.add(attempt.id);
    if (known && (this.kind === 'key' || this.kind === 'objects')) return null;
    this.next = Math.max(this.next ?? 0, attempt.through + 1);
    this.applied.push(attempt);
    this.#inspector.applied(this, attempt);
    if (attempt.checkpoint !== null) this.#inspector.checkpoint(this, attempt.checkpoint);
    return null;
  }

  #refused(attempt: Attempt): number[] {
    if (!this.poisoned || this.poison.length === 0) return [];
    const records = recordsOf(attempt.body);
    return [...records.keys()].filter((at) => this.poison.some((text) => (records[at] as string).includes(text)));
  }
}

/** The records of a body in the native format, without their line ends. */
export function recordsOf(body: Uint8Array): readonly string[] {
  if (body.length === 0) return [];
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8').trimEnd().split('\n');
}

/** The index that a record says. */
export function indexOf(record: string): number {
  return Number(/^\{"index":(\d+),"entry":/.exec(record)?.[1] ?? Number.NaN);
}

function toAttempt(life: Life, batch: SinkBatch, now: number): Attempt {
  return {
    life,
    from: batch.from,
    through: batch.through,
    count: batch.count,
    id: batch.id,
    sha256: batch.sha256,
    body: new Uint8Array(batch.body),
    omitted: batch.omitted,
    replay: batch.replay ?? null,
    checkpoint: batch.checkpoint ?? null,
    sentAt: now,
    answer: 'open',
    code: null,
    forgotten: false,
  };
}
