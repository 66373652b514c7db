import type { Command } from 'commander';
import { z } from 'zod';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import { openClient } from './client.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { type ControlOptions, withControlOptions } from './options.ts';
import type { Terminal } from './terminal.ts';

const names = z.array(z.string());
const changes = z.looseObject({ changed: names, restarted: names, started: names, stopped: names });
const answerShape = z.looseObject({ changed: names, sources: changes, destinations: changes, listeners: changes });

type ReloadAnswer = z.infer<typeof answerShape>;

/** How long the running process may take: deliveries in flight come back before their destination is started anew. */
const ANSWER_MS = 60_000;

/** `waybill reload`: the running process goes over to the configuration as its file is now. */
export function addReload(program: Command, terminal: Terminal, done: (code: number) => void): void {
  withControlOptions(
    program.command('reload').description('have the running process read its configuration again; only what changed restarts'),
    ['waybill reload --dry-run', 'waybill reload', 'waybill reload -c /etc/waybill/waybill.yaml --reason "ticket 4711"'],
  )
    .option('--dry-run', 'only say what would be done', false)
    .action(async (options: ControlOptions & { readonly dryRun: boolean }) => {
      // A file with mistakes is not worth a request: they are listed here, and the process goes on as it is.
      const client = openClient(loadConfig(options.config), options.reason);
      const answer = await client.post('/v1/reload', { dry_run: options.dryRun }, ANSWER_MS).catch((error: unknown) => {
        throw withHint(error);
      });
      if (options.json) terminal.out(JSON.stringify(answer));
      else for (const line of reloadLines(readAnswer(answer), options.dryRun)) terminal.out(line);
      done(EXIT.ok);
    });
}

/** What was done, or would be, in lines. */
export function reloadLines({ changed, sources, destinations, listeners }: ReloadAnswer, trial: boolean): string[] {
  if (changed.length === 0) return ['nothing has changed'];
  const kinds = [
    ['source', sources],
    ['destination', destinations],
    ['address', listeners],
  ] as const;
  const moved = kinds.flatMap(([kind, parts]) =>
    (['changed', 'restarted', 'started', 'stopped'] as const).flatMap((what) => parts[what].map((name) => `${kind} ${name}: ${what}`)),
  );
  const head = trial ? 'nothing was done; a reload would take over' : 'the configuration is at work; taken over:';
  return [head, ...changed.map((path) => `  ${path}`), ...(moved.length === 0 ? [] : ['', ...moved])];
}

function readAnswer(answer: unknown): ReloadAnswer {
  const read = answerShape.safeParse(answer);
  if (read.success) return read.data;
  throw new WaybillError('API_UNEXPECTED', 'the running process did not say what it did; look at `waybill status`');
}

/** The command knows the new file only: where the address or its token is what changed, the process has to be told in another way. */
function withHint(error: unknown): unknown {
  if (!isWaybillError(error) || (error.code !== 'NOT_RUNNING' && error.code !== 'UNAUTHORIZED')) return error;
  const hint = 'if the address or the token of the commands is what changed, send SIGHUP to the process instead';
  return new WaybillError(error.code, `${error.message}; ${hint}`, { cause: error });
}
