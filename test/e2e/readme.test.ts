import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { buildProgram } from '../../src/cli/program.ts';
import { starterConfig } from '../../src/cli/starter.ts';
import { checkBody } from '../../src/intake/check.ts';

const ROOT = join(import.meta.dirname, '../..');
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const pages = ['README.md', 'CONTRIBUTING.md', 'docs/operating.md', 'docs/guarantees.md', 'docs/security.md'].map((path) => ({
  path,
  text: readFileSync(join(ROOT, path), 'utf8'),
}));

test('the configuration that the README shows is the one that init writes', () => {
  const shown = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const tokenSha256 = /token_sha256: ([0-9a-f]{64})/.exec(shown)?.[1] ?? '';
  assert.deepEqual(parse(shown), parse(starterConfig({ origin: 'acme.example/audit', tokenFile: 'waybill.token', tokenSha256 })));
});

test('the event that the README sends is valid', () => {
  const body = Buffer.from(/-d '(\{[\s\S]*?\})'/.exec(readme)?.[1] ?? '');
  const checked = checkBody(body, 'object', { schema: 'waybill/1', idField: null });
  assert.deepEqual([checked.count, checked.unreadable, [...checked.faults]], [1, undefined, []]);
});

test('every command that the pages name is there', () => {
  const commands = buildProgram({ out: () => {}, err: () => {}, drained: () => Promise.resolve() }, () => {}).commands.map((command) =>
    command.name(),
  );
  const named = pages.flatMap(({ text }) => [...text.matchAll(/(?:`|^)waybill ([a-z]+)/gm)].map((match) => match[1] ?? ''));
  assert.ok(named.length > 10, 'the commands were not found');
  assert.deepEqual(
    [...new Set(named)].filter((name) => !commands.includes(name)),
    [],
  );
});

test('every npm script that the pages name is there', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  const named = pages.flatMap(({ text }) => [...text.matchAll(/npm (?:run )?([a-z]+)/g)].map((match) => match[1] ?? ''));
  assert.ok(named.length > 5, 'the scripts were not found');
  assert.deepEqual(
    [...new Set(named)].filter((name) => !['ci', 'install', 'pack', 'registry'].includes(name) && !Object.hasOwn(scripts, name)),
    [],
  );
});
