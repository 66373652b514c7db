import type { Command } from 'commander';
import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import { type ApiClient, openClient } from './client.ts';
import { type ConfirmOptions, confirm } from './confirm.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { type ControlOptions, withControlOptions } from './options.ts';
import { readStatus } from './status-view.ts';
import { countText, type Terminal } from './terminal.ts';

interface ResendOptions extends ControlOptions, ConfirmOptions {
  readonly from?: string;
  readonly through?: string;
  readonly dryRun: boolean;
}

const resent = z.looseObject({ name: z.string().nullable(), from: z.int(), through: z.int(), entries: z.int() });

/** What a command about a range of entries is answered. */
export type Resent = z.infer<typeof resent>;

/** Reads such an answer. Rejects with `API_UNEXPECTED` what is not one. */
export function readResent(answer: unknown): Resent {
  const result = resent.safeParse(answer);
  if (result.success) return result.data;
  throw new WaybillError('API_UNEXPECTED', 'the running process did not say which entries it would send');
}

const VERBS = [
  {
    verb: 'replay',
    says: 'send old entries to a destination again, marked as sent again',
    examples: [
      'waybill replay lake --from 2026-11-01 --dry-run',
      'waybill replay lake --from 1200 --through 1399',
      'waybill replay lake --from 1200 --yes --reason "lost at the receiver, ticket 4711"',
    ],
  },
  {
    verb: 'recover',
    says: 'send what a destination has lost again, as it was sent the first time',
    examples: ['waybill recover archive', 'waybill recover lake --from 2026-11-01T08:00:00Z', 'waybill recover lake --from 1200 --dry-run'],
  },
] as const;

/** `waybill replay|recover DEST`, `waybill cancel DEST` and `waybill destination forget NAME`. */
export function addResend(program: Command, terminal: Terminal, done: (code: number) => void): void {
  for (const { verb, says, examples } of VERBS) {
    const command = program.command(verb).argument('<destination>', 'its name in the configuration').description(says);
    const from = '--from <place>';
    const means = 'the first entry: an index, or a time such as 2026-11-24T08:00:00Z';
    withControlOptions(
      verb === 'replay' ? command.requiredOption(from, means) : command.option(from, `${means}; absent: where it lacks something`),
      examples,
    )
      .option('--through <place>', 'the last entry: an index or a time; absent: all that it has had')
      .option('--dry-run', 'say what would be sent, and send nothing', false)
      .option('--yes', 'do not ask', false)
      .action(async (destination: string, options: ResendOptions) => {
        const client = openClient(loadConfig(options.config), options.reason);
        const path = `/v1/destinations/${encodeURIComponent(destination)}/${verb}`;
        const answer = await resend(client, path, `${destination}: ${verb}`, options, terminal);
        if (options.json) terminal.out(JSON.stringify(answer));
        else if (answer.name !== null)
          terminal.out(`${answer.name} has begun; \`waybill status\` shows how far it is, \`waybill cancel ${destination}\` ends it`);
        done(EXIT.ok);
      });
  }
  addForget(program, terminal, done);
}

/** Says first what would be done, and does it once that is confirmed. */
export async function resend(
  client: ApiClient,
  path: string,
  what: string,
  options: Pick<ResendOptions, 'from' | 'through' | 'dryRun' | 'yes' | 'json'>,
  terminal: Terminal,
): Promise<Resent> {
  const { from, through } = options;
  const range = { ...(from === undefined ? {} : { from }), ...(through === undefined ? {} : { through }) };
  const would = readResent(await client.post(path, { ...range, dry_run: true }));
  const said = `${what} of ${countText(would.entries)} entries, ${would.from} to ${would.through}.`;
  if (!options.json) terminal.out(said);
  if (options.dryRun) return would;
  await confirm(terminal, said, options);
  // What was confirmed is done, also when more has arrived meanwhile.
  return readResent(await client.post(path, { from: would.from, through: would.through }));
}

function addForget(program: Command, terminal: Terminal, done: (code: number) => void): void {
  const destination = program
    .command('destination')
    .description('what is kept about destinations')
    .addHelpText('after', '\nExamples:\n  $ waybill destination forget old-archive');
  withControlOptions(
    destination
      .command('forget')
      .argument('<name>', 'a destination that is not in the configuration any more')
      .description('forget the cursor of a destination that was taken out of the configuration'),
    ['waybill destination forget old-archive', 'waybill destination forget old-archive --yes'],
  )
    .option('--yes', 'do not ask', false)
    .action(async (name: string, options: ControlOptions & ConfirmOptions) => {
      const client = openClient(loadConfig(options.config), options.reason);
      const { destinations } = readStatus(await client.get('/v1/status'));
      const known = Object.hasOwn(destinations, name) ? destinations[name] : undefined;
      if (known === undefined) throw new WaybillError('DESTINATION_UNKNOWN', `there is no destination ${name}, and none was removed`);
      const aside = known.quarantine?.reduce((sum, kept) => sum + kept.through - kept.from + 1, 0) ?? 0;
      const left = `${countText(known.lag)} entries and ${countText(aside)} that are set aside`;
      const said = `${name} (${known.state}) has had all below ${known.cursor}; ${left} will not reach it.`;
      if (!options.json) terminal.out(said);
      if (known.state === 'removed') await confirm(terminal, `${said} Its cursor goes for good.`, options);
      const answer = await client.post(`/v1/destinations/${encodeURIComponent(name)}/forget`, {});
      terminal.out(options.json ? JSON.stringify(answer) : `${name} is forgotten`);
      done(EXIT.ok);
    });
}
