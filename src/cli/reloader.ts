import type { ApiSources } from '../api/policy.ts';
import type { Api } from '../api/server.ts';
import type { Config, LogLevel } from '../config/config.ts';
import { isIdle, planReload, type ReloadPlan } from '../config/plan-reload.ts';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Ports } from '../contracts/ports.ts';
import type { ConfigAuthor } from '../pipeline/config-note.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import { isPushed } from '../pipeline/sources.ts';
import { shownError } from './exit.ts';

/** Goes over to the configuration as its file is now. */
export interface Reloader {
  /**
   * Reads the file and does what its plan says, or, for a trial, nothing. One at a time: whoever asks meanwhile waits. Rejects, and
   * everything is as before, with what is wrong: `CONFIG_INVALID` names all mistakes.
   */
  reload(by: ConfigAuthor, trial: boolean): Promise<Reloaded>;
  /** How the last one that was no trial ended; `null` before the first. */
  last(): ReloadStatus | null;
  /** Refuses what comes, and waits for what is under way. */
  close(): Promise<void>;
}

/** What a reload did, or would do. */
export interface Reloaded extends Omit<ReloadPlan, 'refused'> {
  readonly dryRun: boolean;
}

/** How a reload ended, for `status`. `at` is in RFC 3339. */
export interface ReloadStatus {
  readonly at: string;
  readonly ok: boolean;
  readonly error: { readonly code: string; readonly message: string; readonly action: string } | null;
}

/** What a reload works on. */
export interface ReloaderParts {
  /** Reads and checks the file. Throws `CONFIG_INVALID` or `CONFIG_MISSING`. */
  readonly read: () => Config;
  readonly pipeline: Pick<Pipeline, 'config' | 'change'> & { readonly intake: Pick<Pipeline['intake'], 'refuseNames'> };
  readonly api: Pick<Api, 'prepare'>;
  readonly ports: Pick<Ports, 'clock' | 'log'> & { setLogLevel(level: LogLevel): void };
}

/** Makes the reloader of a process that is at work. */
export function createReloader({ read, pipeline, api, ports }: ReloaderParts): Reloader {
  let turn: Promise<unknown> = Promise.resolve();
  let closed = false;
  let last: ReloadStatus | null = null;

  async function attempt(by: ConfigAuthor, trial: boolean): Promise<Reloaded> {
    if (closed) throw new WaybillError('STOPPING', 'the process is being stopped');
    const next = read();
    const plan = planReload(pipeline.config, next, isPushed);
    const wrong = [...plan.refused, ...refusedNames(next)];
    if (wrong.length > 0) throw new WaybillError('RELOAD_REFUSED', wrong.join('\n'));
    const { refused: _, ...done } = plan;
    if (!trial) await carryOut(next, plan, by);
    return { ...done, dryRun: trial };
  }

  /** What a source cannot be called is said before anything is stopped for it. */
  function refusedNames({ sources }: Config): readonly string[] {
    try {
      pipeline.intake.refuseNames(sources);
      return [];
    } catch (error) {
      if (isWaybillError(error) && error.code === 'RENAME_REFUSED') return [error.message];
      throw error;
    }
  }

  /** What can fail is done first: addresses, then parts. From the commit on nothing can. */
  async function carryOut(next: Config, plan: ReloadPlan, by: ConfigAuthor): Promise<void> {
    const idle = isIdle(plan);
    const prepared = await api.prepare(next.api, pushedSources(next));
    try {
      if (!idle) await pipeline.change(next, plan, by);
    } catch (error) {
      await prepared.undo();
      throw error;
    }
    prepared.commit();
    ports.setLogLevel(next.logLevel);
  }

  async function reported(by: ConfigAuthor): Promise<Reloaded> {
    const at = new Date(ports.clock.now()).toISOString();
    try {
      const done = await attempt(by, false);
      last = { at, ok: true, error: null };
      const { changed, destinations, sources } = done;
      ports.log.info('the configuration was read again', {
        by: by.how,
        changed: changed.length,
        destinations: touched(destinations),
        sources: touched(sources),
      });
      return done;
    } catch (error) {
      const shown = shownError(error);
      last = { at, ok: false, error: shown };
      ports.log.error('the configuration was not taken over; everything is as before', { by: by.how, ...shown });
      throw error;
    }
  }

  return {
    reload(by, trial) {
      const mine = turn.then(() => (trial ? attempt(by, true) : reported(by)));
      turn = mine.catch(() => {});
      return mine;
    },
    last: () => last,
    async close() {
      closed = true;
      await turn;
    },
  };
}

/** The sources that take requests, as the API has to know them. */
export function pushedSources({ sources }: Config): ApiSources {
  return new Map(sources.filter(({ type }) => isPushed(type)).map(({ name, rate }) => [name, { rate }]));
}

function touched({ changed, restarted, started, stopped }: ReloadPlan['destinations']): string {
  return [...changed, ...restarted, ...started, ...stopped].join(' ');
}
