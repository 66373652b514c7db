import { type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import { openClient } from './client.ts';
import type { ConfirmOptions } from './confirm.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { type CommonOptions, type ControlOptions, withCommonOptions, withControlOptions } from './options.ts';
import { resend } from './resend.ts';
import { countText, printable, type Terminal, tableLines } from './terminal.ts';

const row = z.looseObject({
  destination: z.string(),
  from: z.int(),
  through: z.int(),
  entries: z.int(),
  code: z.string(),
  message: z.string(),
  at: z.number(),
});
const list = z.looseObject({ quarantine: z.array(row) });
const one = row.extend({ index: z.int(), entry: z.unknown() });

/** `waybill quarantine list|show|redeliver|waive`. */
export function addQuarantine(program: Command, terminal: Terminal, done: (code: number) => void): void {
  const quarantine = program
    .command('quarantine')
    .description('entries that a destination would not take')
    .addHelpText('after', '\nExamples:\n  $ waybill quarantine list');
  withCommonOptions(
    quarantine.command('list').argument('[destination]', 'only what this one would not take').description('what is set aside, and why'),
    ['waybill quarantine list', 'waybill quarantine list lake --json'],
  ).action(async (destination: string | undefined, options: CommonOptions) => {
    const client = openClient(loadConfig(options.config));
    const answer = await client.get(`/v1/quarantine${destination === undefined ? '' : `/${encodeURIComponent(destination)}`}`);
    if (options.json) terminal.out(JSON.stringify(answer));
    else for (const line of listLines(read(list, answer).quarantine)) terminal.out(line);
    done(EXIT.ok);
  });
  withCommonOptions(
    quarantine
      .command('show')
      .argument('<destination>', 'its name in the configuration')
      .argument('<index>', 'the index of the entry', wholeNumber)
      .description('one entry, and what the destination answered'),
    ['waybill quarantine show lake 1204'],
  ).action(async (destination: string, index: number, options: CommonOptions) => {
    const client = openClient(loadConfig(options.config));
    const answer = await client.get(`/v1/quarantine/${encodeURIComponent(destination)}/${index}`);
    if (options.json) terminal.out(JSON.stringify(answer));
    else for (const line of shownLines(read(one, answer))) terminal.out(line);
    done(EXIT.ok);
  });
  for (const { verb, says, what } of VERBS) {
    withControlOptions(
      quarantine
        .command(verb)
        .argument('<destination>', 'its name in the configuration')
        .requiredOption('--from <place>', 'the first entry: an index or a time')
        .description(says),
      [`waybill quarantine ${verb} lake --from 1204`, `waybill quarantine ${verb} lake --from 0 --through 2000 --yes`],
    )
      .option('--through <place>', 'the last entry; absent: only the first')
      .option('--dry-run', 'say what would be done, and do nothing', false)
      .option('--yes', 'do not ask', false)
      .action(async (destination: string, options: ControlOptions & ConfirmOptions & AsideOptions) => {
        const client = openClient(loadConfig(options.config), options.reason);
        const path = `/v1/quarantine/${encodeURIComponent(destination)}/${verb}`;
        const answer = await resend(client, path, `${destination}: ${what}`, options, terminal);
        if (options.json) terminal.out(JSON.stringify(answer));
        else if (!options.dryRun) terminal.out(answer.name === null ? 'it is declared' : `${answer.name} has begun`);
        done(EXIT.ok);
      });
  }
}

interface AsideOptions {
  readonly from: string;
  readonly through?: string;
  readonly dryRun: boolean;
}

const VERBS = [
  { verb: 'redeliver', says: 'send again what is set aside, once the destination takes it', what: 'redelivery' },
  { verb: 'waive', says: 'declare that what is set aside will never be delivered', what: 'a waiver' },
] as const;

/** What is set aside, for people. What a destination answered is foreign text. */
export function listLines(rows: readonly z.infer<typeof row>[]): string[] {
  if (rows.length === 0) return ['nothing is set aside'];
  const cells = rows.map(({ destination, from, through, entries, code, message }) => {
    const range = from === through ? String(from) : `${from}-${through}`;
    return [destination, range, countText(entries), code, printable(message)];
  });
  return tableLines(['DESTINATION', 'INDEX', 'ENTRIES', 'CODE', 'ANSWER'], cells, ['ENTRIES']);
}

/** One entry that is set aside, for people: nothing in it reaches the terminal as anything but text. */
export function shownLines({ destination, index, code, message, at, entry }: z.infer<typeof one>): string[] {
  return [
    `${destination} would not take entry ${index}, since ${new Date(at).toISOString()}`,
    `${code}: ${printable(message)}`,
    '',
    ...JSON.stringify(entry, null, 2).split('\n').map(printable),
  ];
}

function read<Shape extends z.ZodType>(shape: Shape, answer: unknown): z.output<Shape> {
  const result = shape.safeParse(answer);
  if (result.success) return result.data;
  throw new WaybillError('API_UNEXPECTED', 'what is set aside could not be read from the answer');
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}
