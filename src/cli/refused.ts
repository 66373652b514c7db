import type { Command } from 'commander';
import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import { sizeText } from '../contracts/quantities.ts';
import { openClient } from './client.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { type CommonOptions, type ControlOptions, withCommonOptions, withControlOptions } from './options.ts';
import { countText, printable, type Terminal, tableLines } from './terminal.ts';

const event = z.looseObject({
  sha256: z.string(),
  bytes: z.int(),
  times: z.int(),
  places: z.array(
    z.looseObject({
      source: z.string(),
      partition: z.string().nullable(),
      position: z.string().nullable(),
      reason: z.string(),
      message: z.string(),
      at: z.number(),
    }),
  ),
});
const page = z.looseObject({ count: z.int(), bytes: z.number(), refused: z.array(event) });
const one = event.extend({ base64: z.string(), text: z.string().nullable() });
const retried = z.looseObject({ accepted: z.int(), duplicates: z.int() });

const PAGE = 1_000;
const PLACES_SHOWN = 10;
/** More than this is for a file, and not for a terminal. */
const SHOWN_CHARACTERS = 4_000;

/** `waybill refused list|show|retry|discard`. */
export function addRefused(program: Command, terminal: Terminal, done: (code: number) => void): void {
  const refused = program
    .command('refused')
    .description('events of pulled sources that could not become entries')
    .addHelpText('after', '\nExamples:\n  $ waybill refused list');
  withCommonOptions(refused.command('list').description('what is kept, from where, and why'), [
    'waybill refused list',
    'waybill refused list --json | jq -r .sha256',
  ]).action(async (options: CommonOptions) => {
    await list(options, terminal);
    done(EXIT.ok);
  });
  withCommonOptions(refused.command('show').argument('<sha256>', 'as the list has it').description('one of them, its bytes included'), [
    'waybill refused show 5feceb66…',
    'waybill refused show 5feceb66… --json | jq -r .base64 | base64 -d',
  ]).action(async (sha256: string, options: CommonOptions) => {
    const answer = await openClient(loadConfig(options.config)).get(`/v1/refused/${encodeURIComponent(sha256)}`);
    if (options.json) terminal.out(JSON.stringify(answer));
    else for (const line of shownLines(read(one, answer))) terminal.out(line);
    done(EXIT.ok);
  });
  for (const { verb, says } of VERBS) {
    withControlOptions(refused.command(verb).argument('<sha256...>', 'as the list has them').description(says), [
      `waybill refused ${verb} 5feceb66…`,
      `waybill refused ${verb} $(waybill refused list --json | jq -r .sha256) --reason "ticket 4711"`,
    ]).action(async (names: readonly string[], options: ControlOptions) => {
      const client = openClient(loadConfig(options.config), options.reason);
      for (const name of names) {
        const answer = await client.post(`/v1/refused/${encodeURIComponent(name)}/${verb}`, {});
        terminal.out(options.json ? JSON.stringify(answer) : `${name} ${verb === 'retry' ? retriedText(answer) : 'is discarded'}`);
      }
      done(EXIT.ok);
    });
  }
}

const VERBS = [
  { verb: 'retry', says: 'take events in again, after the schema or the configuration of their source was corrected' },
  { verb: 'discard', says: 'give events up and free their space; the ledger keeps that they were refused' },
] as const;

/** Everything that is kept, page by page: one line of JSON for each, or a table. */
async function list(options: CommonOptions, terminal: Terminal): Promise<void> {
  const client = openClient(loadConfig(options.config));
  const rows: string[][] = [];
  for (let after = ''; ; ) {
    const { count, bytes, refused } = read(page, await client.get(`/v1/refused?limit=${PAGE}&after=${after}`));
    for (const found of refused) {
      if (options.json) terminal.out(JSON.stringify(found));
      else rows.push(rowOf(found));
    }
    await terminal.drained();
    after = refused.at(-1)?.sha256 ?? '';
    if (refused.length === PAGE) continue;
    if (options.json) return;
    if (rows.length > 0)
      for (const line of tableLines(['SHA256', 'BYTES', 'TIMES', 'SOURCE', 'REASON'], rows, ['BYTES', 'TIMES'])) terminal.out(line);
    terminal.out(count === 0 ? 'nothing was refused' : `${countText(count)} kept, ${sizeText(bytes)} on disk`);
    return;
  }
}

function rowOf({ sha256, bytes, times, places }: z.infer<typeof event>): string[] {
  const [first] = places;
  return [sha256, countText(bytes), countText(times), first?.source ?? 'unknown', first?.reason ?? 'unknown'];
}

/** One event for people. Its bytes are foreign: nothing of them reaches the terminal as a control character. */
export function shownLines({ sha256, bytes, times, places, base64, text }: z.infer<typeof one>): string[] {
  const content = text ?? base64;
  const rest = content.length - SHOWN_CHARACTERS;
  return [
    `${sha256}, ${countText(bytes)} bytes, refused ${countText(times)} times`,
    ...places
      .slice(0, PLACES_SHOWN)
      .flatMap(({ source, partition, position, reason, message, at }) => [
        printable(`  ${new Date(at).toISOString()}  ${source}  ${partition ?? '-'}  ${position ?? '-'}`),
        printable(`    ${reason}: ${message}`),
      ]),
    ...(times > PLACES_SHOWN ? [`  and ${countText(times - PLACES_SHOWN)} more`] : []),
    '',
    ...(text === null ? ['not UTF-8; in base64:'] : []),
    ...content.slice(0, SHOWN_CHARACTERS).split('\n').map(printable),
    ...(rest > 0 ? [`and ${countText(rest)} characters more: --json has everything`] : []),
  ];
}

function retriedText(answer: unknown): string {
  const { accepted, duplicates } = read(retried, answer);
  return duplicates === 0
    ? `became ${countText(accepted)} entries`
    : `became ${countText(accepted)} entries; ${countText(duplicates)} were there already`;
}

function read<Out>(schema: z.ZodType<Out>, answer: unknown): Out {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  throw new WaybillError(
    'API_UNEXPECTED',
    `the running process answered without a readable ${result.error.issues[0]?.path.join('.') ?? 'content'}`,
  );
}
