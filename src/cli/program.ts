import { Command } from 'commander';
import { addBench } from './bench.ts';
import { addCheck } from './check.ts';
import { addControl } from './control.ts';
import { addDemo } from './demo.ts';
import { addExport } from './export.ts';
import { addInit } from './init.ts';
import { addKey } from './key.ts';
import { addProve } from './prove.ts';
import { addQuarantine } from './quarantine.ts';
import { addRefused } from './refused.ts';
import { addReload } from './reload.ts';
import { addResend } from './resend.ts';
import { addRestore } from './restore.ts';
import { addRetention } from './retention.ts';
import { addRun } from './run.ts';
import { addSchema } from './schema.ts';
import { addStatus } from './status.ts';
import { addTap } from './tap.ts';
import type { Terminal } from './terminal.ts';
import { addToken } from './token.ts';
import { addVerify } from './verify.ts';
import { version } from './version.ts';
import { addWitness } from './witness.ts';

/** The whole command line. Wrong words are thrown as `CommanderError`; a command that ended calls `done` with its exit code. */
export function buildProgram(terminal: Terminal, done: (code: number) => void): Command {
  const program = new Command('waybill')
    .description('Audit log delivery: every event durable, in order, once, to every destination, and provable.')
    .version(version())
    .exitOverride()
    .showSuggestionAfterError();
  const rest = [
    addProve,
    addResend,
    addQuarantine,
    addRefused,
    addReload,
    addExport,
    addRestore,
    addRetention,
    addKey,
    addVerify,
    addWitness,
    addToken,
    addSchema,
    addBench,
  ];
  for (const add of [addDemo, addInit, addCheck, addRun, addStatus, addTap, addControl, ...rest]) add(program, terminal, done);
  return program;
}
