import type { Command } from 'commander';
import { configJsonSchema } from '../config/json-schema.ts';
import { witnessJsonSchema } from '../config/witness-schema.ts';
import { waybillEventJsonSchema } from '../intake/waybill-event-schema.ts';
import { adapters } from './load-config.ts';
import type { Terminal } from './terminal.ts';

const SCHEMAS: ReadonlyMap<string, () => unknown> = new Map<string, () => unknown>([
  ['config', () => configJsonSchema(adapters)],
  ['witness', witnessJsonSchema],
  ['event', () => waybillEventJsonSchema],
]);

/** `waybill schema`: JSON Schemas for editors and for producers. */
export function addSchema(program: Command, terminal: Terminal, done: (code: number) => void): void {
  program
    .command('schema')
    .argument('[what]', '`config` for waybill.yaml, `witness` for witness.yaml, `event` for events of schema waybill/1', 'config')
    .description('print a JSON Schema')
    .addHelpText('after', '\nExamples:\n  $ waybill schema > waybill.schema.json\n  $ waybill schema event')
    .action((what: string, _options: unknown, command: Command) => {
      const schema = SCHEMAS.get(what);
      if (schema === undefined) command.error(`error: there is no schema ${what}; there is ${[...SCHEMAS.keys()].join(', ')}`);
      terminal.out(JSON.stringify(schema(), null, 2));
      done(0);
    });
}
