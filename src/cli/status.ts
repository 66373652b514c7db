import type { Command } from 'commander';
import { sizeText } from '../contracts/quantities.ts';
import { openPorts } from '../runtime/ports.ts';
import { listenToSignals } from '../runtime/signals.ts';
import { openClient } from './client.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { type CommonOptions, withCommonOptions } from './options.ts';
import { readStatus, type StatusView } from './status-view.ts';
import { countText, type Terminal, tableLines } from './terminal.ts';
import { watch } from './watch.ts';

const WATCH_MS = 1_000;

/** `waybill status`: the ledger, the sources and where every destination is. */
export function addStatus(program: Command, terminal: Terminal, done: (code: number) => void): void {
  withCommonOptions(program.command('status').description('show the ledger and where every destination is'), [
    'waybill status',
    'waybill status --watch',
    'waybill status --json | jq .destinations',
  ])
    .option('--watch', 'show the flow, live, until q or Ctrl-C', false)
    .action(async (options: CommonOptions & { readonly watch: boolean }) => {
      const client = openClient(loadConfig(options.config));
      const show = async (): Promise<void> => {
        const answer = await client.get('/v1/status');
        if (options.json) terminal.out(JSON.stringify(answer));
        else for (const line of statusLines(readStatus(answer))) terminal.out(line);
      };
      if (!options.watch) await show();
      else if (options.json) await repeat(show);
      else await watch(client, terminal);
      done(EXIT.ok);
    });
}

/** JSON for programs, once a second. */
async function repeat(show: () => Promise<void>): Promise<void> {
  const ending = new AbortController();
  const signals = listenToSignals({ stop: () => ending.abort(), reload: () => {} });
  const ports = await openPorts({ logLevel: 'error' });
  try {
    while (!ending.signal.aborted) {
      await show();
      await ports.clock.sleep(WATCH_MS, ending.signal).catch(() => {});
    }
  } finally {
    signals.close();
    await ports.close();
  }
}

/** A status for people: what stands still comes with its reason and the way out. */
export function statusLines({ ledger, sources, destinations, reload }: StatusView): string[] {
  const rows = Object.entries(destinations).map(([name, { type, state, cursor, lag }]) => [
    name,
    type ?? '',
    state,
    countText(cursor),
    countText(lag),
  ]);
  const from = Object.entries(sources).map(([name, { type }]) => (type ? `${name} (${type})` : name));
  return [
    `ledger ${ledger.origin}: ${countText(ledger.durable)} entries${ledger.bytes ? `, ${sizeText(ledger.bytes.used)} on disk` : ''}`,
    ...headLines(ledger),
    ...retentionLines(ledger),
    ...(ledger.damage ? [`DAMAGE: ${ledger.damage}`] : []),
    ...(reload?.error ? [`the changed configuration of ${reload.at} is NOT at work: ${reload.error.code}: ${reload.error.message}`] : []),
    `sources: ${from.join(', ') || 'none'}`,
    ...(rows.length === 0
      ? ['no destinations']
      : ['', ...tableLines(['DESTINATION', 'TYPE', 'STATE', 'CURSOR', 'LAG'], rows, ['CURSOR', 'LAG'])]),
    ...Object.entries(sources).flatMap(([name, { pulled }]) => (pulled ? pulledNotes(name, pulled) : [])),
    ...Object.entries(destinations).flatMap(([name, destination]) => notesOn(name, destination)),
  ];
}

function headLines({ head, heads, tree }: StatusView['ledger']): string[] {
  const key = heads?.keys.at(-1)?.verifier_key;
  return [
    ...(heads?.published
      ? [`sealed to ${countText(heads.published.size)}: root ${heads.published.root}, signed ${heads.published.at}`]
      : head
        ? [`tree: root ${head.root} over ${countText(head.size)} entries, not signed yet`]
        : []),
    ...(key === undefined ? [] : [`verifier key: ${key}`]),
    ...(tree?.fault ? [`THE TREE WAITS, and new heads with it: ${tree.fault.code}: ${tree.fault.message}`] : []),
    ...(heads?.witnesses ?? []).map(
      ({ name, required, size, fault }) =>
        `witness ${name}${required ? ' (required)' : ''}: ${size === null ? 'signed nothing yet' : `signed to ${countText(size)}`}` +
        (fault === null ? '' : `; ${fault.code}: ${fault.message}`),
    ),
    ...(heads?.fault ? [`NO NEWER HEAD: ${heads.fault.code}: ${heads.fault.message}`, `  ${heads.fault.action}`] : []),
  ];
}

function retentionLines({ beginning, days_left: daysLeft, retention }: StatusView['ledger']): string[] {
  const held = retention?.held_by ?? null;
  return [
    ...(beginning ? [`oldest retained entry: ${countText(beginning)}`] : []),
    ...(typeof daysLeft === 'number' ? [`the space lasts ${countText(Math.floor(daysLeft))} more days at the rate since the start`] : []),
    ...(held === null ? [] : [`RETENTION IS HELD: ${heldText(held)}`]),
  ];
}

function heldText({ kind, name, index }: { readonly kind: string; readonly name: string; readonly index: number }): string {
  if (kind === 'destination') return `${name} needs entry ${index} and later ones; repair it, or give it max_lag`;
  if (kind === 'removed')
    return `${name} is no longer configured and needs entry ${index}; \`waybill destination forget ${name}\` lets go of it`;
  if (kind === 'clock') return `the clock stepped (entry ${index}); when it is right: \`waybill retention confirm\``;
  if (kind === 'identities') return `the index of identities is written up to entry ${index} first; nothing to do`;
  if (kind === 'heads')
    return 'what is about to go is declared, and a signed head over that comes first; nothing to do while heads are published';
  return 'the newest segments are always kept; nothing to do';
}

function notesOn(name: string, { state, error, counters, quarantine, side, checkpoint }: StatusView['destinations'][string]): string[] {
  const repeats = counters?.repeats ?? 0;
  const aside = quarantine?.reduce((sum, { from, through }) => sum + through - from + 1, 0) ?? 0;
  return [
    ...(error ? ['', `${name}: ${error.code}: ${error.message}`, `  ${error.action}`] : []),
    ...(checkpoint?.fault
      ? ['', `${name} does not take checkpoints: ${checkpoint.fault.code}: ${checkpoint.fault.message}`, `  ${checkpoint.fault.action}`]
      : []),
    ...(side ? ['', `${name}: ${side.name} is at ${countText(side.cursor)} of ${countText(side.from)} to ${countText(side.through)}`] : []),
    ...(aside > 0 ? ['', `${name}: ${countText(aside)} entries are set aside; \`waybill quarantine list\` shows why`] : []),
    ...(repeats > 0 ? ['', `${name}: ${countText(repeats)} batches may be there twice, because an answer was lost`] : []),
    ...(state === 'removed' ? ['', `${name} is not in the configuration; \`waybill destination forget ${name}\` forgets its cursor`] : []),
  ];
}

function pulledNotes(name: string, { state, error, problems }: NonNullable<StatusView['sources'][string]['pulled']>): string[] {
  return [
    ...(error ? ['', `source ${name} is ${state}: ${error.code}: ${error.message}`, `  ${error.action}`] : []),
    ...problems.flatMap(({ place, message }) => ['', `source ${name} cannot read ${place}: ${message}`]),
  ];
}
