import type { Route } from '../api/routes.ts';
import { type Api, openApi } from '../api/server.ts';
import type { Config } from '../config/config.ts';
import { durationText } from '../contracts/quantities.ts';
import { JOBS, type Pipeline, startPipeline } from '../pipeline/pipeline.ts';
import { type OpenPorts, openPorts } from '../runtime/ports.ts';
import { listenToSignals } from '../runtime/signals.ts';
import { readConsoleFiles } from './console-files.ts';
import { EXIT } from './exit.ts';
import { exitSoon } from './machine.ts';

/** How long something that was not closed may keep a stopped process alive. */
const LINGER_MS = 5_000;

/**
 * Runs what the configuration names until SIGTERM or SIGINT, and gives the exit code. Rejects with the reason when it cannot go on.
 * `extraRoutes` are for a program that is more than `waybill run`.
 */
export async function run(config: Config, extraRoutes?: readonly Route[]): Promise<number> {
  const ports = await openPorts({ logLevel: config.logLevel, jobs: JOBS });
  const stopping = Promise.withResolvers<null>();
  const signals = listenToSignals({
    stop(signal) {
      // The next signal ends the process at once: whatever is in flight then is in doubt, as after any crash.
      signals.close();
      ports.log.info('stopping', { signal, drain: durationText(config.drainMs) });
      stopping.resolve(null);
    },
    reload: () => ports.log.warn('the configuration is read at the start only: restart to change it'),
  });
  try {
    const pipeline = await startPipeline(config, ports);
    const failure = await serve(config, pipeline, ports, stopping.promise, extraRoutes);
    await pipeline.stop({ drainMs: failure === null ? config.drainMs : 0 });
    if (failure !== null) throw failure;
    ports.log.info('stopped');
    return EXIT.ok;
  } finally {
    signals.close();
    await ports.close();
    exitSoon(LINGER_MS);
  }
}

/**
 * Answers requests until the process is asked to stop (`null`) or cannot go on (the reason). Senders are refused first, so that a drain has
 * an end.
 */
async function serve(
  config: Config,
  pipeline: Pipeline,
  ports: OpenPorts,
  stopping: Promise<null>,
  extraRoutes: readonly Route[] | undefined,
): Promise<unknown> {
  const { ledger, intake, destinations } = pipeline;
  const status = () => pipeline.status();
  const sources = new Map(config.sources.map(({ name, rate }) => [name, { rate }]));
  let api: Api;
  try {
    api = await openApi({
      config: config.api,
      sources,
      intake,
      ledger,
      ports,
      status,
      observers: ports.observers,
      destination: (name) => destinations.get(name),
      console: readConsoleFiles(),
      ...(extraRoutes === undefined ? {} : { extraRoutes }),
    });
  } catch (error) {
    return error;
  }
  const failure = await Promise.race([stopping, pipeline.failed, api.failed]);
  await api.close();
  return failure;
}
