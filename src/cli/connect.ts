import type { Config, DestinationConfig } from '../config/config.ts';
import { assert } from '../contracts/assert.ts';
import { isWaybillError } from '../contracts/errors.ts';
import type { ProbeContext, SinkDefinition } from '../contracts/sink.ts';
import { asIndex } from '../contracts/units.ts';
import { type OpenPorts, openPorts } from '../runtime/ports.ts';
import { openClient } from './client.ts';
import { shownError } from './exit.ts';
import { adapters } from './load-config.ts';
import { readStatus, type StatusView } from './status-view.ts';

/** What was found at one destination. */
export interface Connection {
  readonly destination: string;
  /** In words, one thing after the other. */
  readonly found: readonly string[];
  /** The first thing that is wrong. */
  readonly error: { readonly code: string; readonly message: string; readonly action: string } | null;
}

/**
 * Looks at every destination as far as that is possible without writing, and asks the running process how it fares with them. With
 * `sendTest` each also gets something that is marked as a test, where its type has such a thing.
 */
export async function connectAll(config: Config, sendTest: boolean): Promise<Connection[]> {
  const status = await openClient(config)
    .get('/v1/status')
    .then(readStatus, (error: unknown) => {
      if (isWaybillError(error) && error.code === 'NOT_RUNNING') return null;
      throw error;
    });
  const ports = await openPorts({ logLevel: 'error' });
  try {
    const connections: Connection[] = [];
    for (const destination of config.destinations) {
      const looks = [...runningLooks(destination.name, status), ...looksAt(destination, config.ledger.origin, ports, status, sendTest)];
      connections.push(await connectionOf(destination.name, looks));
    }
    return connections;
  } finally {
    await ports.close();
  }
}

/** One thing that is looked at. It gives what was found, in words. */
type Look = () => Promise<readonly string[]> | readonly string[];

async function connectionOf(destination: string, looks: readonly Look[]): Promise<Connection> {
  const found: string[] = [];
  for (const look of looks) {
    try {
      found.push(...(await look()));
    } catch (error) {
      return { destination, found, error: error instanceof Told ? error.told : shownError(error) };
    }
  }
  return { destination, found, error: null };
}

/** An error that the running process has told, with its action. */
class Told extends Error {
  readonly told: NonNullable<Connection['error']>;

  constructor(told: NonNullable<Connection['error']>) {
    super(told.message);
    this.told = told;
  }
}

function runningLooks(name: string, status: StatusView | null): Look[] {
  if (status === null) return [];
  const destination = status.destinations[name];
  if (destination === undefined) return [() => ['the running process does not have it yet']];
  const { state, cursor, error } = destination;
  return [
    () => [`${state} in the running process, cursor ${cursor}`],
    () => {
      if (error !== undefined && error !== null) throw new Told(error);
      return [];
    },
  ];
}

function looksAt(destination: DestinationConfig, origin: string, ports: OpenPorts, status: StatusView | null, test: boolean): Look[] {
  const { name, type, settings, timeoutMs } = destination;
  const definition: SinkDefinition | undefined = adapters.sinks[type];
  assert(definition !== undefined, `the sink ${type} was looked up when the file was read`);
  const inTime = <Out>(work: (context: ProbeContext) => Promise<Out>): Promise<Out> =>
    withinTime(ports, timeoutMs, (signal) => work({ name, origin, ports, signal }));
  const looks: Look[] = [];
  if (definition.probe !== undefined) looks.push(() => inTime(async (context) => (await definition.probe?.(settings, context)) ?? []));
  // Only a process with the ledger open knows what a sink that mends its end has to be told, and it has such a destination open.
  else if (status === null && definition.traits(settings).dedupe !== 'position') {
    looks.push(async () => {
      const sink = await definition.open(settings, { name, origin, ports, cursor: asIndex(0), receipt: null });
      await sink.close();
      return ['opened; nothing was sent'];
    });
  }
  if (test)
    looks.push(async () => [
      (await inTime(async (context) => definition.sendTest?.(settings, context))) ?? 'a test cannot be sent to this type',
    ]);
  return looks;
}

async function withinTime<Out>({ clock }: OpenPorts, ms: number, work: (signal: AbortSignal) => Promise<Out>): Promise<Out> {
  const limit = new AbortController();
  const settled = new AbortController();
  const late = clock.sleep(ms, settled.signal).then(
    () => limit.abort(new Error(`no answer within ${ms} ms`)),
    () => {},
  );
  try {
    return await work(limit.signal);
  } finally {
    settled.abort('it has its answer');
    await late;
  }
}
