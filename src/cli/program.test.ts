import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildProgram } from './program.ts';

test('every command has a description, and examples in its help', () => {
  const { commands } = buildProgram({ out: () => {}, err: () => {}, drained: () => Promise.resolve() }, () => {});
  assert.ok(commands.length >= 11, commands.map((command) => command.name()).join(' '));
  for (const command of commands) {
    assert.notEqual(command.description(), '', command.name());
    // The bench hands its words on, so that its own script says what there is.
    if (command.name() === 'bench') continue;
    let help = '';
    command.configureOutput({ writeOut: (text) => void (help += text) });
    command.outputHelp();
    assert.match(help, /Examples:\n {2}\$ waybill /, command.name());
  }
});
