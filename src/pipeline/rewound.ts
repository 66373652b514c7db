import type { DestinationConfig } from '../config/config.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Clock } from '../contracts/ports.ts';
import type { SinkDefinition } from '../contracts/sink.ts';
import type { Destination } from '../delivery/destination.ts';
import { sinks } from '../sinks/table.ts';

const sinkTable: Readonly<Record<string, SinkDefinition>> = sinks;

/** Who does not answer by then is asked by its own delivery, which stops when it is ahead. */
const ASK_MS = 3_000;

/**
 * Asks the destinations that know their place, before anything is accepted. Rejects with `LEDGER_REWOUND` when one has entries that the
 * ledger does not have: then this is an older copy of it, and would give out the same indexes again.
 */
export async function refuseRewound(
  configured: readonly DestinationConfig[],
  destinations: ReadonlyMap<string, Pick<Destination, 'asked' | 'status'>>,
  clock: Pick<Clock, 'sleep'>,
): Promise<void> {
  const knowing = configured.filter(({ type, settings }) => sinkTable[type]?.traits(settings).dedupe === 'position');
  const enough = new AbortController();
  const late = clock.sleep(ASK_MS, enough.signal).catch(() => undefined);
  const asked = Promise.all(knowing.map(({ name }) => destinations.get(name)?.asked ?? Promise.resolve()));
  await Promise.race([asked, late]);
  enough.abort();
  for (const { name } of knowing) {
    const error = destinations.get(name)?.status().error ?? null;
    if (error?.code === 'LEDGER_REWOUND') throw new WaybillError('LEDGER_REWOUND', `${name}: ${error.message}`);
  }
}
