import { codecs } from '../codecs/table.ts';
import type { DestinationConfig } from '../config/config.ts';
import { assert } from '../contracts/assert.ts';
import type { Codec } from '../contracts/codec.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Ports } from '../contracts/ports.ts';
import type { SinkDefinition } from '../contracts/sink.ts';
import { type Destination, openDestination, sinkOpener } from '../delivery/destination.ts';
import type { Intake } from '../intake/sequencer.ts';
import type { OwnPorts } from '../runtime/ports.ts';
import { sinks } from '../sinks/table.ts';
import type { PartKind } from './part-set.ts';
import { startIndex } from './start-index.ts';

const sinkTable: Readonly<Record<string, SinkDefinition>> = sinks;
const codecTable: Readonly<Record<string, Codec>> = codecs;

/** How destinations are opened and closed; each begins to deliver at once. `portsOf` gives a destination ports of its own. */
export function destinationKind(ledger: Ledger, intake: Intake, portsOf: () => OwnPorts): PartKind<DestinationConfig, Destination> {
  const portsByPart = new WeakMap<Destination, OwnPorts>();
  return {
    async open(config) {
      const start = await startIndex(config.start, ledger);
      const ports = portsOf();
      try {
        const destination = open(config, start, ledger, intake, ports);
        portsByPart.set(destination, ports);
        return destination;
      } catch (error) {
        await ports.closeOwn();
        throw error;
      }
    },
    async close(destination, drainMs) {
      await destination.drain(drainMs);
      await destination.close();
      await portsByPart.get(destination)?.closeOwn();
    },
    failed: (destination) => destination.failed,
  };
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
