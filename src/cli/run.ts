import type { Command } from 'commander';
import { loadConfig } from './load-config.ts';
import { type CommonOptions, withCommonOptions } from './options.ts';
import type { Terminal } from './terminal.ts';

/** `waybill run`: takes and delivers events until SIGTERM or SIGINT. */
export function addRun(program: Command, _terminal: Terminal, done: (code: number) => void): void {
  withCommonOptions(program.command('run').description('take and deliver events until SIGTERM, which drains'), [
    'waybill run',
    'waybill run -c /etc/waybill/waybill.yaml',
  ]).action(async (options: CommonOptions) => {
    const config = loadConfig(options.config);
    // The whole pipeline is loaded only where it runs: the other commands are there at once.
    const { run } = await import('./serve.ts');
    done(await run(config));
  });
}
