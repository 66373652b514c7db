import type { Command } from 'commander';
import { openClient } from './client.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { type ControlOptions, withControlOptions } from './options.ts';
import type { Terminal } from './terminal.ts';

const VERBS = [
  { verb: 'pause', says: 'stop delivering to a destination; nothing is lost, its lag grows', after: 'is paused' },
  { verb: 'resume', says: 'go on delivering to a destination that was paused or detached', after: 'goes on' },
  { verb: 'cancel', says: 'end a replay, a recovery or a redelivery', after: 'sends no old entries any more' },
  { verb: 'retry', says: 'go on with a destination that halted, or with a source, once the reason is gone', after: 'tries again' },
] as const;

/** `waybill pause|resume|retry|cancel DEST`, `waybill retry --source NAME`. */
export function addControl(program: Command, terminal: Terminal, done: (code: number) => void): void {
  for (const { verb, says, after } of VERBS) {
    const command = program.command(verb).argument('<name>', 'its name in the configuration').description(says);
    if (verb === 'retry') command.option('--source', 'the name is that of a source', false);
    withControlOptions(command, [
      `waybill ${verb} archive`,
      `waybill ${verb} archive --reason "ticket 4711"`,
      ...(verb === 'retry' ? ['waybill retry --source logs'] : []),
    ]).action(async (name: string, options: ControlOptions & { readonly source?: boolean }) => {
      const client = openClient(loadConfig(options.config), options.reason);
      const kind = options.source === true ? 'sources' : 'destinations';
      const answer = await client.post(`/v1/${kind}/${encodeURIComponent(name)}/${verb}`, {});
      const ends = verb === 'cancel' && (answer as { readonly side?: unknown } | null)?.side != null;
      const said = ends ? 'sends no old entries any more once what is in flight has come back' : after;
      terminal.out(options.json ? JSON.stringify(answer) : `${name} ${said}`);
      done(EXIT.ok);
    });
  }
}
