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
  { verb: 'retry', says: 'go on with a destination that halted, once its reason is gone', after: 'tries again' },
] as const;

/** `waybill pause|resume|retry|cancel DEST`. */
export function addControl(program: Command, terminal: Terminal, done: (code: number) => void): void {
  for (const { verb, says, after } of VERBS) {
    withControlOptions(program.command(verb).argument('<destination>', 'its name in the configuration').description(says), [
      `waybill ${verb} archive`,
      `waybill ${verb} archive --reason "ticket 4711"`,
    ]).action(async (destination: string, options: ControlOptions) => {
      const client = openClient(loadConfig(options.config), options.reason);
      const answer = await client.post(`/v1/destinations/${encodeURIComponent(destination)}/${verb}`, {});
      terminal.out(options.json ? JSON.stringify(answer) : `${destination} ${after}`);
      done(EXIT.ok);
    });
  }
}
