import type { Route } from '../api/routes.ts';
import { type Api, openApi } from '../api/server.ts';
import type { StatusView } from '../api/status.ts';
import type { Config } from '../config/config.ts';
import { WaybillError } from '../contracts/errors.ts';
import { durationText } from '../contracts/quantities.ts';
import { JOBS, type Pipeline, startPipeline } from '../pipeline/pipeline.ts';
import { type OpenPorts, openPorts } from '../runtime/ports.ts';
import { listenToSignals } from '../runtime/signals.ts';
import { openTracing, type Tracing } from '../runtime/tracing.ts';
import { readConsoleFiles } from './console-files.ts';
import { EXIT } from './exit.ts';
import { refuseExposedKeys } from './key-files.ts';
import { loadConfig } from './load-config.ts';
import { exitSoon } from './machine.ts';
import { createReloader, pushedSources, type Reloader } from './reloader.ts';
import { warningsOf } from './warnings.ts';

/** How long something that was not closed may keep a stopped process alive. */
const LINGER_MS = 5_000;

/**
 * Runs what the configuration names until SIGTERM or SIGINT, and gives the exit code. Rejects with the reason when it cannot go on.
 * `extraRoutes` are for a program that is more than `waybill run`.
 */
export async function run(config: Config, extraRoutes?: readonly Route[]): Promise<number> {
  refuseExposedKeys(config);
  const ports = await openPorts({ logLevel: config.logLevel, jobs: JOBS });
  const stopping = Promise.withResolvers<null>();
  const hangup = createHangup();
  const signals = listenToSignals({
    stop(signal) {
      // The next signal ends the process at once: whatever is in flight then is in doubt, as after any crash.
      signals.close();
      ports.log.info('stopping', { signal, drain: durationText(config.drainMs) });
      stopping.resolve(null);
    },
    reload: () => hangup.came(),
  });
  for (const warning of warningsOf(config)) ports.log.warn(warning);
  let tracing: Tracing | null = null;
  try {
    tracing = await traces(config, ports);
    const pipeline = await startPipeline(config, ports);
    const failure = await serve(pipeline, ports, { stopping: stopping.promise, hangup, extraRoutes });
    await pipeline.stop({ drainMs: failure === null ? pipeline.config.drainMs : 0 });
    if (failure !== null) throw failure;
    ports.log.info('stopped');
    return EXIT.ok;
  } finally {
    signals.close();
    await tracing?.close();
    await ports.close();
    exitSoon(LINGER_MS);
  }
}

/** Traces, where they are configured: nothing of them is loaded otherwise. */
async function traces({ tracesEndpoint: endpoint, ledger: { origin } }: Config, { observers, log }: OpenPorts): Promise<Tracing | null> {
  if (endpoint === null) return null;
  const tracing = await openTracing({ endpoint, origin, log });
  observers.add(tracing.observer);
  return tracing;
}

/** SIGHUP: one that comes before anybody can act on it is acted on later. */
interface Hangup {
  came(): void;
  /** Calls back for each from now on, and for one that came before. */
  act(callback: () => void): void;
}

function createHangup(): Hangup {
  let act: (() => void) | null = null;
  let early = false;
  return {
    came() {
      if (act === null) early = true;
      else act();
    },
    act(callback) {
      act = callback;
      if (early) callback();
    },
  };
}

interface ServeOptions {
  /** Resolves once the process is asked to stop. */
  readonly stopping: Promise<null>;
  readonly hangup: Hangup;
  readonly extraRoutes: readonly Route[] | undefined;
}

/**
 * Answers requests until the process is asked to stop (`null`) or cannot go on (the reason). Senders are refused first, so that a drain has
 * an end.
 */
async function serve(pipeline: Pipeline, ports: OpenPorts, { stopping, hangup, extraRoutes }: ServeOptions): Promise<unknown> {
  const { ledger, intake, destinations } = pipeline;
  let reloader: Reloader | null = null;
  let api: Api;
  try {
    api = await openApi({
      config: pipeline.config.api,
      sources: pushedSources(pipeline.config),
      intake,
      ledger,
      heads: pipeline.heads,
      tree: pipeline.tree,
      ports,
      observers: ports.observers,
      status: (): StatusView => ({ ...pipeline.status(), reload: reloader?.last() ?? null }),
      destination: (name) => destinations.get(name),
      pulled: (name) => pipeline.sources.get(name),
      reload: async ({ trial, token }) => {
        if (reloader === null) throw new WaybillError('OVERLOADED', 'the process is still being started');
        return reloader.reload({ how: 'request', name: token }, trial);
      },
      confirmClock: () => pipeline.confirmClock(),
      destinationNames: () => destinations.keys(),
      forget: (name) => pipeline.removed.forget(name),
      indexAt: (timeMs) => pipeline.indexAt(timeMs),
      console: readConsoleFiles(),
      ...(extraRoutes === undefined ? {} : { extraRoutes }),
    });
  } catch (error) {
    return error;
  }
  const opened = createReloader({ read: () => loadConfig(pipeline.config.file), pipeline, api, ports });
  reloader = opened;
  // What is wrong with it is logged by the reloader, and stands in the status.
  hangup.act(() => void opened.reload({ how: 'signal' }, false).catch(() => {}));
  const failure = await Promise.race([stopping, pipeline.failed, api.failed]);
  await opened.close();
  await api.close();
  return failure;
}
