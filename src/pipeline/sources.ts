import type { SourceConfig } from '../config/config.ts';
import { assert } from '../contracts/assert.ts';
import { isWaybillError, type WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Observer } from '../contracts/observer.ts';
import type { Ports } from '../contracts/ports.ts';
import type { SourceDefinition } from '../contracts/source.ts';
import { runSource } from '../intake/pull.ts';
import type { Intake } from '../intake/sequencer.ts';
import { sources } from '../sources/table.ts';
import type { PartKind } from './part-set.ts';

const sourceTable: Readonly<Record<string, SourceDefinition>> = sources;

/** A pull source at work. */
export interface PulledSource {
  /** Why it stopped; `null` while it runs. */
  error(): WaybillError | null;
  /** Resolves with the reason once a promise of this program was broken, and never otherwise. */
  readonly failed: Promise<unknown>;
  /** Takes nothing more and waits until everything that has its place in the order is settled. */
  close(): Promise<void>;
}

/** Whether sources of a type are called by their senders: then there is nothing to start or to stop. */
export function isPushed(type: string): boolean {
  return sourceTable[type]?.traits.delivery === 'pushed';
}

/** How pull sources are opened and closed; each begins to be read at once. */
export function sourceKind(ledger: Ledger, intake: Intake, ports: Ports, observer: Observer): PartKind<SourceConfig, PulledSource> {
  return {
    open: (config) => open(config, ledger, intake, ports, observer),
    close: (source) => source.close(),
    failed: (source) => source.failed,
  };
}

async function open(
  { name, type, settings }: SourceConfig,
  ledger: Ledger,
  intake: Intake,
  ports: Ports,
  observer: Observer,
): Promise<PulledSource> {
  const definition = sourceTable[type];
  assert(definition?.open !== undefined, `${name} was checked when the file was read`);
  const source = await definition.open(settings, { name, ports });
  const stop = new AbortController();
  const failed = Promise.withResolvers<unknown>();
  let error: WaybillError | null = null;
  const { clock, log } = ports;
  const running = runSource({ name, source, intake, ledger, clock, log, observer }, stop.signal).catch((reason: unknown) => {
    if (!isWaybillError(reason)) return failed.resolve(reason);
    error = reason;
    ports.log.error('a source halted', { source: name, code: reason.code, message: reason.message });
  });
  return {
    error: () => error,
    failed: failed.promise,
    async close() {
      stop.abort(new Error(`the source ${name} is closed`));
      await running;
      await source.close();
    },
  };
}
