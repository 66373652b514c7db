import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { buildProgram } from '../../src/cli/program.ts';
import { ERROR_CODES } from '../../src/contracts/errors.ts';

const text = (path: string): string => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');
const program = buildProgram({ out: () => {}, err: () => {}, drained: () => Promise.resolve() }, () => {});
const operating = text('docs/operating.md');

/** The commands that do something, by their words. */
const leaves = program.commands.flatMap((command) =>
  command.commands.length === 0
    ? [{ words: command.name(), command }]
    : command.commands.map((child) => ({ words: `${command.name()} ${child.name()}`, command: child })),
);

test('every command is described on the page about operating', () => {
  const table = /## Every command[\s\S]*?\n## /.exec(operating)?.[0] ?? '';
  assert.ok(leaves.length > 20, leaves.map(({ words }) => words).join(', '));
  for (const { words } of leaves) {
    const [name = '', child] = words.split(' ');
    const row = table.split('\n').find((line) => line.startsWith('|') && line.includes(`\`waybill ${name}`));
    assert.ok(row !== undefined && (child === undefined || row.includes(child)), words);
  }
});

test('every command that answers takes --json, and each has examples', () => {
  // A schema is JSON already; the bench hands its words to a script that says what there is.
  for (const { words, command } of leaves.filter((leaf) => leaf.words !== 'schema' && leaf.words !== 'bench')) {
    assert.ok(
      command.options.some(({ long }) => long === '--json'),
      words,
    );
    assert.match(helpOf(command), /Examples:\n {2}\$ waybill /, words);
  }
});

test('what the codes and pages tell people to run is there, with the options that they give it', () => {
  const sources = [
    ...Object.entries(ERROR_CODES).map(([code, { action }]) => [code, action] as const),
    ...['README.md', 'docs/operating.md', 'docs/security.md', 'docs/guarantees.md'].map((path) => [path, text(path)] as const),
  ];
  const named = sources.flatMap(([where, said]) => [...said.matchAll(/`waybill ([^`\n]+)`/g)].map(([, words = '']) => ({ where, words })));
  assert.ok(named.length > 60, String(named.length));
  for (const { where, words } of named) assert.equal(unknownIn(words.split(/\s+/)), null, `${where}: waybill ${words}`);
});

test('every alert has a row that says what to do', () => {
  const { groups } = parse(text('packaging/prometheus-alerts.yaml')) as {
    readonly groups: readonly { readonly rules: readonly { readonly alert: string }[] }[];
  };
  const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
  const rows = [...operating.matchAll(/^\| `(Waybill\w+)` \|/gm)].map(([, name = '']) => name);
  assert.deepEqual(rows.toSorted(), alerts.toSorted());
});

test('every package that is installed is defended on the page about dependencies', () => {
  const { dependencies, devDependencies, peerDependencies } = JSON.parse(text('package.json')) as Readonly<
    Record<'dependencies' | 'devDependencies' | 'peerDependencies', Readonly<Record<string, string>>>
  >;
  const page = text('docs/dependencies.md');
  const names = Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies });
  assert.deepEqual(
    names.filter((name) => !page.includes(`\`${name}\``)),
    [],
  );
});

/** The first word that no command knows, or null. Words in capitals, places and brackets stand for what a person puts there. */
function unknownIn([name = '', ...rest]: readonly string[]): string | null {
  const top = program.commands.find((command) => command.name() === name);
  if (top === undefined) return name;
  const child = top.commands.length === 0 ? top : top.commands.find((command) => command.name() === rest[0]);
  if (child === undefined) return rest.length === 0 ? null : `${name} ${rest[0]}`;
  const long = rest.flatMap((word) => /--[a-z][a-z-]*/.exec(word)?.[0] ?? []);
  return long.find((option) => option !== '--help' && !child.options.some((known) => known.long === option)) ?? null;
}

function helpOf(command: Command): string {
  let help = '';
  command.configureOutput({ writeOut: (written) => void (help += written) });
  command.outputHelp();
  return help;
}
