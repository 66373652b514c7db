import type { Command } from 'commander';
import { configJsonSchema } from '../config/json-schema.ts';
import { waybillEventJsonSchema } from '../intake/waybill-event-schema.ts';
import { adapters } from './load-config.ts';
import type { Terminal } from './terminal.ts';

/** `waybill schema`: JSON Schemas for editors and for producers. */
export function addSchema(program: Command, terminal: Terminal, done: (code: number) => void): void {
  program
    .command('schema')
    .argument('[what]', '`config` for waybill.yaml, `event` for events of schema waybill/1', 'config')
    .description('print a JSON Schema')
    .addHelpText('after', '\nExamples:\n  $ waybill schema > waybill.schema.json\n  $ waybill schema event')
    .action((what: string, _options: unknown, command: Command) => {
      if (what !== 'config' && what !== 'event') command.error(`error: there is no schema ${what}; there is config and event`);
      terminal.out(JSON.stringify(what === 'event' ? waybillEventJsonSchema : configJsonSchema(adapters), null, 2));
      done(0);
    });
}
