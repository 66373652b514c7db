import type { SourceConfig } from '../config/config.ts';
import { assert } from '../contracts/assert.ts';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Observer } from '../contracts/observer.ts';
import type { Ports } from '../contracts/ports.ts';
import type { Source, SourceDefinition } from '../contracts/source.ts';
import { runSource } from '../intake/pull.ts';
import type { Intake } from '../intake/sequencer.ts';
import { sources } from '../sources/table.ts';
import type { PartKind } from './part-set.ts';

const sourceTable: Readonly<Record<string, SourceDefinition>> = sources;

/** A pull source as `status` shows it. */
export interface PulledStatus {
  /** `running`: it is read. `waiting`: it is tried again by itself. `halted`: an operator has to act. */
  readonly state: 'running' | 'waiting' | 'halted';
  /** Why it does not run. */
  readonly error: { readonly code: string; readonly message: string; readonly action: string } | null;
  /** How many partitions have a position. */
  readonly positions: number;
  /** How many bytes wait to be read; `null` when nobody can tell. */
  readonly lagBytes: number | null;
  /** What cannot be read at this moment and is tried again: the first few. */
  readonly problems: readonly { readonly place: string; readonly message: string }[];
}

/** A pull source at work. */
export interface PulledSource {
  status(): PulledStatus;
  /** Ends a halt or a pause between attempts: it is opened again at once. Changes nothing while it runs. */
  retry(): void;
  /** Resolves with the reason once a promise of this program was broken, and never otherwise. */
  readonly failed: Promise<unknown>;
  /** Takes nothing more and waits until everything that has its place in the order is settled. */
  close(): Promise<void>;
}

/** Pauses between attempts: they double. */
const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 30_000;
/** A source that ran for so long has recovered. */
const RECOVERED_MS = 60_000;

/** Whether sources of a type are called by their senders: then there is nothing to start or to stop. */
export function isPushed(type: string): boolean {
  return sourceTable[type]?.traits.delivery === 'pushed';
}

/** How pull sources are opened and closed; each begins to be read at once. */
export function sourceKind(ledger: Ledger, intake: Intake, ports: Ports, observer: Observer): PartKind<SourceConfig, PulledSource> {
  return {
    open: async ({ name, type, settings }) => {
      const definition = sourceTable[type];
      const open = definition?.open?.bind(definition);
      assert(open !== undefined, `${name} was checked when the file was read`);
      return pullSource({ name, open: () => open(settings, { name, ports }), ledger, intake, ports, observer });
    },
    close: (source) => source.close(),
    failed: (source) => source.failed,
  };
}

/** What a pull source at work is made of. */
export interface PullingParts {
  readonly name: string;
  readonly open: () => Promise<Source>;
  readonly ledger: Pick<Ledger, 'positions'>;
  readonly intake: Pick<Intake, 'check' | 'sequence' | 'control' | 'refused' | 'names'>;
  readonly ports: Pick<Ports, 'clock' | 'log'>;
  readonly observer?: Observer;
}

/**
 * Reads a source for as long as it is not closed. What fails and may succeed later is tried again by itself; what needs a person halts the
 * source until `retry`. Each attempt resumes from the positions in the ledger, so that none of them loses or repeats anything.
 */
export function pullSource(parts: PullingParts): PulledSource {
  const { name, ledger, ports } = parts;
  const stop = new AbortController();
  const failed = Promise.withResolvers<unknown>();
  let state: PulledStatus['state'] = 'running';
  let error: WaybillError | null = null;
  let source: Source | null = null;
  let wake = new AbortController();

  async function attempt(): Promise<void> {
    source = await parts.open();
    try {
      await runSource({ ...parts, source, clock: ports.clock, log: ports.log }, stop.signal);
    } finally {
      await source.close();
      source = null;
    }
  }

  async function run(): Promise<void> {
    let pauseMs = PAUSE_MIN_MS;
    while (!stop.signal.aborted) {
      const begun = ports.clock.monotonic();
      state = 'running';
      try {
        await attempt();
        assert(stop.signal.aborted, `the source ${name} ended by itself`);
        return;
      } catch (reason) {
        if (stop.signal.aborted) return;
        error = asSourceError(name, reason);
        state = error.remedy === 'retry' ? 'waiting' : 'halted';
        ports.log.error(`a source is ${state}`, { source: name, code: error.code, message: error.message, action: error.action });
      }
      if (ports.clock.monotonic() - begun >= RECOVERED_MS) pauseMs = PAUSE_MIN_MS;
      wake = new AbortController();
      await rest(state === 'halted' ? null : pauseMs, AbortSignal.any([wake.signal, stop.signal]));
      pauseMs = wake.signal.aborted ? PAUSE_MIN_MS : Math.min(pauseMs * 2, PAUSE_MAX_MS);
      error = null;
    }
  }

  const rest = (ms: number | null, signal: AbortSignal): Promise<void> =>
    ms === null ? aborted(signal) : ports.clock.sleep(ms, signal).catch(() => undefined);
  const running = run().catch((reason: unknown) => failed.resolve(reason));
  return {
    failed: failed.promise,
    retry: () => wake.abort(),
    status() {
      const { lagBytes = null, problems = [] } = source?.facts?.() ?? {};
      const shown = error === null ? null : { code: error.code, message: error.message, action: error.action };
      return { state, error: shown, positions: ledger.positions(name).size, lagBytes, problems };
    },
    async close() {
      stop.abort(new Error(`the source ${name} is closed`));
      await running;
    },
  };
}

/** A broken promise of this program goes on and ends the process; what an adapter throws without a word for it halts its source. */
function asSourceError(name: string, reason: unknown): WaybillError {
  if (isWaybillError(reason)) return reason;
  if (reason instanceof Error && reason.name === 'BrokenInvariant') throw reason;
  return new WaybillError('SOURCE_FAILED', `the source ${name} failed: ${String(reason)}`, { cause: reason });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
