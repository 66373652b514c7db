import { codecs } from '../codecs/table.ts';
import type { Config, DestinationConfig } from '../config/config.ts';
import { assert } from '../contracts/assert.ts';
import type { Codec } from '../contracts/codec.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Ports } from '../contracts/ports.ts';
import type { SinkDefinition } from '../contracts/sink.ts';
import { type Destination, openDestination, sinkOpener } from '../delivery/destination.ts';
import type { Intake } from '../intake/sequencer.ts';
import { sinks } from '../sinks/table.ts';
import { startIndex } from './start-index.ts';

const sinkTable: Readonly<Record<string, SinkDefinition>> = sinks;
const codecTable: Readonly<Record<string, Codec>> = codecs;

/** Opens every destination of the configuration; each begins to deliver at once. `portsOf` gives a destination ports of its own. */
export async function openDestinations(
  config: Config,
  ledger: Ledger,
  intake: Intake,
  portsOf: () => Ports,
): Promise<Map<string, Destination>> {
  const destinations = new Map<string, Destination>();
  for (const destination of config.destinations) {
    const start = await startIndex(destination.start, ledger);
    destinations.set(destination.name, open(destination, start, ledger, intake, portsOf()));
  }
  return destinations;
}

function open(
  { name, type, format, settings, batch, inFlight, onReject, quarantineMax, timeoutMs, retry, control }: DestinationConfig,
  start: Awaited<ReturnType<typeof startIndex>>,
  ledger: Ledger,
  intake: Intake,
  ports: Ports,
): Destination {
  const definition = sinkTable[type];
  const codec = codecTable[format];
  assert(definition !== undefined && codec !== undefined, `${name} was checked when the file was read`);
  return openDestination({
    name,
    origin: ledger.origin,
    ledger,
    openSink: sinkOpener(definition, settings),
    codec,
    codecFor: (earlier) => codecTable[earlier],
    start,
    emitControl: async (entry) => {
      await intake.control(entry.type, entry.facts, entry.key);
    },
    ports,
    batch,
    inFlight,
    onReject,
    quarantineMax,
    timeoutMs,
    retry,
    control,
  });
}
