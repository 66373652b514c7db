import { type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import { openPorts } from '../runtime/ports.ts';
import { listenToSignals } from '../runtime/signals.ts';
import { openClient } from './client.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { type CommonOptions, withCommonOptions } from './options.ts';
import { readStatus } from './status-view.ts';
import { printable, type Terminal } from './terminal.ts';

interface TapOptions extends CommonOptions {
  readonly from?: number;
  readonly limit?: number;
}

/** How many entries are asked for at a time, and how long to wait where there is none. */
const PAGE = 200;
const PAUSE_MS = 250;

/** `waybill tap [DEST]`: entries as they come, or those that a destination needs next. */
export function addTap(program: Command, terminal: Terminal, done: (code: number) => void): void {
  withCommonOptions(
    program
      .command('tap')
      .argument('[destination]', 'begin with the entry that this destination needs next')
      .description('show entries as they come'),
    ['waybill tap', 'waybill tap --from 0 --limit 20', 'waybill tap archive --limit 1', 'waybill tap --json | jq .entry.event'],
  )
    .option('--from <index>', 'begin with this index', wholeNumber)
    .option('--limit <count>', 'end after this many entries', wholeNumber)
    .action(async (destination: string | undefined, options: TapOptions) => {
      await tap(destination, options, terminal);
      done(EXIT.ok);
    });
}

async function tap(destination: string | undefined, options: TapOptions, terminal: Terminal): Promise<void> {
  const client = openClient(loadConfig(options.config));
  const status = readStatus(await client.get('/v1/status'));
  let next = options.from ?? (destination === undefined ? status.ledger.durable : cursorOf(destination, status));
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  const ending = new AbortController();
  const signals = listenToSignals({ stop: () => ending.abort(), reload: () => {} });
  const ports = await openPorts({ logLevel: 'error' });
  try {
    while (left > 0 && !ending.signal.aborted) {
      const page = await client.text(`/v1/entries?from=${next}&limit=${Math.min(PAGE, left)}`);
      const lines = page.split('\n').filter((line) => line !== '');
      for (const line of lines) terminal.out(options.json ? line : entryText(line));
      await terminal.drained();
      next += lines.length;
      left -= lines.length;
      if (lines.length === 0) await ports.clock.sleep(PAUSE_MS, ending.signal).catch(() => {});
    }
  } finally {
    signals.close();
    await ports.close();
  }
}

function cursorOf(name: string, { destinations }: ReturnType<typeof readStatus>): number {
  const destination = Object.hasOwn(destinations, name) ? destinations[name] : undefined;
  if (destination === undefined) throw new WaybillError('DESTINATION_UNKNOWN', `there is no destination ${name}`);
  return destination.cursor;
}

const shownEntry = z.looseObject({
  index: z.int(),
  entry: z.looseObject({ source: z.string(), received_at: z.string(), id: z.string(), schema: z.string(), event: z.unknown() }),
});
const shownEvent = z.looseObject({ action: z.string(), outcome: z.string(), actor: z.looseObject({ type: z.string(), id: z.string() }) });

/** One entry on one line, for people: what `waybill/1` has in fields, and anything else as its JSON. */
export function entryText(line: string): string {
  const { index, entry } = shownEntry.parse(JSON.parse(line));
  const event = shownEvent.safeParse(entry.event);
  const what = event.success
    ? `${event.data.action} ${event.data.outcome} by ${event.data.actor.type} ${event.data.actor.id}`
    : JSON.stringify(entry.event);
  return printable(`${index}  ${entry.received_at}  ${entry.source}  ${entry.id}  ${what}`);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}
