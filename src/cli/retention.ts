import type { Command } from 'commander';
import { z } from 'zod';
import { openClient } from './client.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { type ControlOptions, withControlOptions } from './options.ts';
import type { Terminal } from './terminal.ts';

const answer = z.looseObject({ confirmed: z.boolean() });

/** `waybill retention confirm`. */
export function addRetention(program: Command, terminal: Terminal, done: (code: number) => void): void {
  const retention = program.command('retention').description('what becomes of old entries; `waybill status` shows what holds them');
  retention.addHelpText('after', '\nExamples:\n  $ waybill retention confirm');
  withControlOptions(
    retention.command('confirm').description('the clock is right after it stepped: entries may be removed for their age again'),
    ['waybill retention confirm'],
  ).action(async (options: ControlOptions) => {
    const confirmed = answer.parse(await openClient(loadConfig(options.config), options.reason).post('/v1/retention/confirm', {}));
    if (options.json) terminal.out(JSON.stringify(confirmed));
    else terminal.out(confirmed.confirmed ? 'the clock is confirmed; retention by age goes on' : 'the clock was not in doubt');
    done(EXIT.ok);
  });
}
