import type { Clock } from '../../contracts/ports.ts';
import { readStatus, type StatusView } from '../status-view.ts';
import type { Load } from './load.ts';
import { linesOf } from './places.ts';
import type { Stage } from './stage.ts';
import {
  compareHoldings,
  type Difference,
  differenceOf,
  type Finding,
  type Holding,
  holdingOf,
  lookUpAcknowledged,
  lookUpGaps,
} from './verdict.ts';

/** What was found when everything was read back. */
export interface ReadBack {
  readonly ledger: Holding;
  readonly held: readonly (Holding & Difference & { readonly name: string })[];
  readonly findings: readonly Finding[];
}

/** How long the end may take: the destinations catch up, and the holes are declared. */
const CATCH_UP_MS = 30_000;
const PAGE = 10_000;

/** The status of the pipeline; `null` while it does not answer. */
export function statusOf(stage: Stage): Promise<StatusView | null> {
  return stage.client.get('/v1/status').then(readStatus, () => null);
}

/** Waits until every destination has everything and every hole is declared, or long enough. Nothing may be sent meanwhile. */
export async function catchUp(stage: Stage, load: Load, clock: Clock, ended: AbortSignal): Promise<void> {
  const end = clock.monotonic() + CATCH_UP_MS;
  while (clock.monotonic() < end) {
    const view = await statusOf(stage);
    const there = view !== null && Object.values(view.destinations).every(({ cursor }) => cursor === view.ledger.durable);
    if (there && lookUpGaps(await ledgerLines(stage), load.lost()).good) return;
    await clock.sleep(200, ended);
  }
}

/** Reads the ledger and every place, and compares all of it with each other and with what was acknowledged. */
export async function readBack(stage: Stage, load: Load): Promise<ReadBack> {
  const lines = await ledgerLines(stage);
  const ledger = holdingOf('ledger', lines);
  const held = await Promise.all(
    stage.places.map(async ({ name, what, lines: read }) => {
      const there = await read();
      return { name, ...holdingOf(`${name} (${what})`, there), ...differenceOf(lines, there) };
    }),
  );
  const findings = [...compareHoldings(ledger, held), lookUpAcknowledged(lines, load.sent.acknowledged), lookUpGaps(lines, load.lost())];
  return { ledger, held, findings };
}

async function ledgerLines(stage: Stage): Promise<string[]> {
  const lines: string[] = [];
  for (;;) {
    const page = linesOf(await stage.client.text(`/v1/entries?from=${lines.length}&limit=${PAGE}`));
    if (page.length === 0) return lines;
    for (const line of page) lines.push(line);
  }
}
