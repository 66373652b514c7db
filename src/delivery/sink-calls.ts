import { WaybillError } from '../contracts/errors.ts';
import type { Clock, Random } from '../contracts/ports.ts';
import type { Sink, SinkContext } from '../contracts/sink.ts';
import type { Index } from '../contracts/units.ts';
import { attempt } from './attempt.ts';
import type { DestinationOptions } from './destination.ts';
import type { Rules } from './state.ts';

const TIMEOUT_MS = 30_000;
const QUARANTINE_MAX = 100;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 30_000;

/** Where a destination begins that has no journal yet, or begins anew. */
export function startOf({ start, ledger }: Pick<DestinationOptions, 'start' | 'ledger'>): Index {
  if (start === 'beginning') return ledger.beginning();
  return start === 'now' ? (ledger.size() as number as Index) : start;
}

/** What configuration and traits demand together. Traits limit what is configured, never the other way round. */
export function rulesOf(options: DestinationOptions, sink: Sink): Rules {
  const { dedupe, inFlightMax, carriesEmpty } = sink.traits;
  const { inFlight = 1, onReject = 'halt', quarantineMax = QUARANTINE_MAX } = options;
  return { dedupe, carriesEmpty, onReject, quarantineMax, inFlight: Math.max(1, Math.min(inFlight, inFlightMax)) };
}

/** How long one attempt may take, in milliseconds. */
export function timeoutOf({ timeoutMs = TIMEOUT_MS }: Pick<DestinationOptions, 'timeoutMs'>): number {
  return timeoutMs;
}

/** Opens the sink within the time of an attempt. One that opens later than that is closed again. */
export async function openInTime(options: DestinationOptions, context: SinkContext, signal: AbortSignal): Promise<Sink> {
  let late = false;
  const open = async (): Promise<Sink> => {
    const sink = await options.openSink(context);
    if (late) await sink.close();
    return sink;
  };
  try {
    const sink = await attempt(open, timeoutOf(options), context.ports.clock, signal);
    if (!signal.aborted) return sink;
    // The destination was closed meanwhile, and whoever opens it next must not find it locked.
    await sink.close();
    throw signal.reason;
  } catch (error) {
    late = true;
    throw error;
  }
}

/** Asks a destination that keeps its place what it needs next. */
export async function askNext(sink: Sink, signal: AbortSignal): Promise<Index> {
  if (sink.next === undefined) throw new WaybillError('SINK_FAILED', 'the sink says that it keeps its place, but cannot say which it is');
  const next = await sink.next(signal);
  if (!Number.isSafeInteger(next) || next < 0) throw new WaybillError('SINK_FAILED', `the sink needs the index ${String(next)} next`);
  return next;
}

/** How long to back off after so many failures in a row: the ceiling doubles, and anything below it is as likely, so that many spread. */
export function backOffMs(retry: DestinationOptions['retry'], failures: number, random: Random): number {
  const { minMs = RETRY_MIN_MS, maxMs = RETRY_MAX_MS } = retry ?? {};
  return random.next() * Math.min(maxMs, minMs * 2 ** Math.min(failures - 1, 30));
}

/** Sleeps, and answers false when the signal ended it. */
export async function slept(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(ms, signal);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
