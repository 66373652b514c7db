import type { Config } from '../config/config.ts';
import type { PartChanges, ReloadPlan } from '../config/plan-reload.ts';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Intake } from '../intake/sequencer.ts';
import type { EmbeddedLedger } from '../ledger/embedded/embedded.ts';
import type { PartSet } from './part-set.ts';
import { takeOverNames } from './take-over-names.ts';

/** What a reload works on. */
export interface ChangingParts<Source extends { readonly name: string }, Destination extends Delivering> {
  /** The sources that are pulled. Those that are pushed have nothing to start. */
  readonly sources: Pick<PartSet<Source, unknown>, 'parts' | 'start' | 'stop'>;
  readonly destinations: Pick<PartSet<Destination, unknown>, 'parts' | 'start' | 'stop'>;
  readonly intake: Pick<Intake, 'changeSources' | 'rename' | 'refuseNames'>;
  readonly ledger: Pick<EmbeddedLedger, 'changeLimit'>;
}

/** What of a destination's configuration a change has to know. */
export interface Delivering {
  readonly name: string;
  /** How long one attempt may take: nothing in flight comes back later. */
  readonly timeoutMs: number;
}

/** The parts of a configuration that a change works from. */
export interface ChangeableConfig<Source, Destination> {
  readonly ledger: Pick<Config['ledger'], 'limitBytes'>;
  /** Every source. */
  readonly sources: Config['sources'];
  /** Those of them that are pulled. */
  readonly pulled: readonly Source[];
  readonly destinations: readonly Destination[];
  readonly drainMs: number;
}

/** Nobody waits longer than this for a reload to let deliveries come back; what is still in flight then is in doubt. */
const DRAIN_MAX_MS = 30_000;

/**
 * Goes from one configuration to another: stops what has to be stopped, changes the rules of the intake, starts what has to be started.
 * Rejects with `RELOAD_FAILED` when something cannot be started; then everything is as before. Rejects with anything else when that could
 * not be had either: the process has to stop.
 */
export async function changeParts<Source extends { readonly name: string }, Destination extends Delivering>(
  parts: ChangingParts<Source, Destination>,
  plan: Pick<ReloadPlan, 'sources' | 'destinations'>,
  old: ChangeableConfig<Source, Destination>,
  next: ChangeableConfig<Source, Destination>,
): Promise<void> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    // Sources first: no event of a source may meet the rules of another configuration.
    await stopParts(parts.sources, plan.sources, old.pulled, () => old.drainMs, undo);
    await takeOverNames(parts.intake, next.sources, (from, to) => undo.push(() => parts.intake.rename(to, from)));
    undo.push(async () => parts.intake.changeSources(rulesOf(old)));
    parts.intake.changeSources(rulesOf(next));
    undo.push(async () => parts.ledger.changeLimit(old.ledger.limitBytes));
    parts.ledger.changeLimit(next.ledger.limitBytes);
    const drainMs = ({ timeoutMs }: Destination) => Math.min(timeoutMs, old.drainMs, DRAIN_MAX_MS);
    await stopParts(parts.destinations, plan.destinations, old.destinations, drainMs, undo);
    await startParts(parts.destinations, plan.destinations, next.destinations, undo);
    await startParts(parts.sources, plan.sources, next.pulled, undo);
  } catch (error) {
    for (const step of undo.toReversed()) await step();
    if (!isWaybillError(error)) throw error;
    throw new WaybillError('RELOAD_FAILED', `${error.code}: ${error.message}`, { cause: error });
  }
}

async function stopParts<Part extends { readonly name: string }>(
  set: Pick<PartSet<Part, unknown>, 'parts' | 'start' | 'stop'>,
  { stopped, restarted }: PartChanges,
  configs: readonly Part[],
  drainMs: (config: Part) => number,
  undo: (() => Promise<unknown>)[],
): Promise<void> {
  const leaving = configs.filter(({ name }) => stopped.includes(name) || restarted.includes(name));
  const stops = await Promise.allSettled(
    leaving.map((config) => {
      undo.push(() => set.start(config));
      return set.stop(config.name, drainMs(config));
    }),
  );
  for (const stop of stops) if (stop.status === 'rejected') throw stop.reason;
}

async function startParts<Part extends { readonly name: string }>(
  set: Pick<PartSet<Part, unknown>, 'parts' | 'start' | 'stop'>,
  { started, restarted }: PartChanges,
  configs: readonly Part[],
  undo: (() => Promise<unknown>)[],
): Promise<void> {
  for (const config of configs) {
    if (!started.includes(config.name) && !restarted.includes(config.name)) continue;
    await set.start(config);
    undo.push(() => set.stop(config.name, 0));
  }
}

function rulesOf({ sources }: Pick<Config, 'sources'>): Parameters<Intake['changeSources']>[0] {
  return new Map(sources.map((source) => [source.name, source]));
}
