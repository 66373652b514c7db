import type { Command } from 'commander';
import { EXIT } from './exit.ts';
import { childEnd, ownFile, spawnHere } from './machine.ts';
import type { Terminal } from './terminal.ts';

/** `waybill bench`: measures this machine. The bench belongs to the checkout and not to the published package. */
export function addBench(program: Command, terminal: Terminal, done: (code: number) => void): void {
  program
    .command('bench')
    .description('measure this machine (in a checkout)')
    .argument('[arguments...]', 'handed to bench/main.ts, such as --rows 1,2 --runs 1')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (args: readonly string[]) => {
      const script = ownFile('bench/main.ts');
      if (script === null) {
        terminal.err('the bench is part of the repository only: clone it and run `npm run bench` there');
        return done(EXIT.failed);
      }
      const { code } = await childEnd(spawnHere(script, args));
      done(code ?? EXIT.failed);
    });
}
