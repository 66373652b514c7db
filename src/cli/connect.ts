import type { Config, DestinationConfig } from '../config/config.ts';
import { assert } from '../contracts/assert.ts';
import { isWaybillError } from '../contracts/errors.ts';
import type { SinkDefinition } from '../contracts/sink.ts';
import { asIndex } from '../contracts/units.ts';
import { type OpenPorts, openPorts } from '../runtime/ports.ts';
import { openClient } from './client.ts';
import { shownError } from './exit.ts';
import { adapters } from './load-config.ts';
import { readStatus, type StatusView } from './status-view.ts';

/** What was found at one destination. */
export interface Connection {
  readonly destination: string;
  readonly found: string;
  readonly error: { readonly code: string; readonly message: string; readonly action: string } | null;
}

/** Connects to every destination, or asks the running process, which is connected to them already. It writes nothing. */
export async function connectAll(config: Config): Promise<Connection[]> {
  const status = await openClient(config)
    .get('/v1/status')
    .then(readStatus, (error: unknown) => {
      if (isWaybillError(error) && error.code === 'NOT_RUNNING') return null;
      throw error;
    });
  if (status !== null) return config.destinations.map(({ name }) => asRunning(name, status.destinations[name]));
  const ports = await openPorts({ logLevel: 'error' });
  try {
    const connections: Connection[] = [];
    for (const destination of config.destinations) connections.push(await connect(destination, config.ledger.origin, ports));
    return connections;
  } finally {
    await ports.close();
  }
}

function asRunning(name: string, destination: StatusView['destinations'][string] | undefined): Connection {
  if (destination === undefined)
    return { destination: name, found: 'the running process does not have it: it was started with another file', error: null };
  const { state, cursor, error } = destination;
  return { destination: name, found: `${state} in the running process, cursor ${cursor}`, error: error ?? null };
}

async function connect({ name, type, settings }: DestinationConfig, origin: string, ports: OpenPorts): Promise<Connection> {
  const definition: SinkDefinition | undefined = adapters.sinks[type];
  assert(definition !== undefined, `the sink ${type} was looked up when the file was read`);
  // Such a sink mends its end by the cursor and the last receipt, which only a process with the ledger open knows.
  if (definition.traits(settings).dedupe === 'position') {
    return { destination: name, found: 'not opened: `waybill run` compares it with its cursor when it starts', error: null };
  }
  try {
    const sink = await definition.open(settings, { name, origin, ports, cursor: asIndex(0), receipt: null });
    await sink.close();
    return { destination: name, found: 'opened; nothing was sent', error: null };
  } catch (error) {
    return { destination: name, found: 'not opened', error: shownError(error) };
  }
}
