import { codecs } from '../codecs/table.ts';
import type { DestinationConfig } from '../config/config.ts';
import { assert } from '../contracts/assert.ts';
import type { Codec } from '../contracts/codec.ts';
import { isWaybillError } from '../contracts/errors.ts';
import type { Heads } from '../contracts/heads.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Observer } from '../contracts/observer.ts';
import type { Ports } from '../contracts/ports.ts';
import type { SinkDefinition } from '../contracts/sink.ts';
import { type Destination, openDestination, sinkOpener } from '../delivery/destination.ts';
import { HaltedDestination } from '../delivery/halted.ts';
import { rename } from '../delivery/renaming.ts';
import type { Intake } from '../intake/sequencer.ts';
import type { OwnPorts } from '../runtime/ports.ts';
import { sinks } from '../sinks/table.ts';
import type { PartKind } from './part-set.ts';
import { startIndex } from './start-index.ts';

/** The journal and a control entry hold the words for a target. */
const TARGET_CHARACTERS_MAX = 1_000;

const sinkTable: Readonly<Record<string, SinkDefinition>> = sinks;
const codecTable: Readonly<Record<string, Codec>> = codecs;

/** What destinations are opened on. */
export interface DestinationParts {
  readonly ledger: Ledger;
  readonly intake: Intake;
  readonly heads: Heads;
  /** Ports of its own for each destination. */
  readonly portsOf: () => OwnPorts;
  /** Is told of their attempts. */
  readonly observer: Observer;
}

/** How destinations are opened and closed; each begins to deliver at once. */
export function destinationKind(parts: DestinationParts): PartKind<DestinationConfig, Destination> {
  const { ledger } = parts;
  const portsByPart = new WeakMap<Destination, OwnPorts>();
  return {
    async open(config) {
      const start = await startIndex(config.start, ledger);
      const ports = parts.portsOf();
      try {
        const destination = await openOrHalt(config, ledger, async () => {
          if (config.renamedFrom !== null) await rename(ledger.journal, config.renamedFrom, config.name);
          return open(config, start, parts, ports);
        });
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

/** What only a person can resolve stops this destination and no other one. */
async function openOrHalt({ name }: DestinationConfig, ledger: Ledger, openIt: () => Promise<Destination>): Promise<Destination> {
  try {
    return await openIt();
  } catch (error) {
    if (!isWaybillError(error) || (error.code !== 'JOURNAL_INVALID' && error.code !== 'RENAME_REFUSED')) throw error;
    return new HaltedDestination(name, error, () => ledger.size());
  }
}

function open(
  { name, type, format, settings, batch, inFlight, onReject, quarantineMax, timeoutMs, retry, control, targetChanged }: DestinationConfig,
  start: Awaited<ReturnType<typeof startIndex>>,
  { ledger, intake, heads, observer }: DestinationParts,
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
    heads,
    observer,
    batch,
    inFlight,
    onReject,
    quarantineMax,
    timeoutMs,
    retry,
    control,
    target: { text: definition.target(settings).slice(0, TARGET_CHARACTERS_MAX), changed: targetChanged },
  });
}
