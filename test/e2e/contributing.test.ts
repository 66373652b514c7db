import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT } from '../tidy/files.ts';

interface Run {
  readonly code: number;
  readonly out: string;
}

/** The blocks of the page, by the file that each of them names in its first line. */
function blocksOf(page: string): ReadonlyMap<string, string> {
  const blocks = [...page.matchAll(/^```ts\n\/\/ (\S+)\n([\s\S]*?)^```$/gm)];
  return new Map(blocks.map(([, file = '', text = '']) => [file, text]));
}

/** Puts a block into a file that is there: its imports before the others, and the rest in place of the line that it begins with. */
function addTo(text: string, block: string): string {
  const [imports = '', row = ''] = block.split('\n\n', 2);
  const rest = block.slice(block.indexOf(row)).trimEnd();
  const opening = /^export const \w+ = \{/.exec(rest)?.[0] ?? '';
  assert.ok(opening !== '' && text.includes(opening), `there is no place for ${rest.slice(0, 60)}`);
  return `${imports}\n${text.replace(opening, () => rest)}`;
}

describe('the destination of CONTRIBUTING.md', () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-contributing-'));
  const run = (args: readonly string[]): Promise<Run> =>
    new Promise((resolve) => {
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      execFile(process.execPath, args, { cwd: directory, env, timeout: 110_000, maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), out: `${stdout}${stderr}` }),
      );
    });

  after(() => rmSync(directory, { recursive: true, force: true }));
  before(() => {
    const parts = ['src', 'test', 'bench', 'bin', 'docs', 'package.json', 'tsconfig.json'];
    for (const part of parts) cpSync(join(ROOT, part), join(directory, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
    const blocks = blocksOf(readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8'));
    assert.deepEqual([...blocks.keys()], ['src/sinks/collector.ts', 'src/sinks/table.ts', 'test/conformance/harnesses.ts']);
    for (const [file, block] of blocks) {
      const path = join(directory, file);
      writeFileSync(path, file === 'src/sinks/collector.ts' ? block : addTo(readFileSync(path, 'utf8'), block));
    }
  });

  test('passes the conformance suite', async () => {
    const { code, out } = await run(['--test', '--test-name-pattern=sink collector', 'test/conformance/sinks.test.ts']);
    assert.equal(code, 0, out);
    assert.match(out, /sink collector: a collector that drops repeats/);
    assert.ok(Number(/pass (\d+)/.exec(out)?.[1]) >= 15, out);
  });

  test('fits the types of everything else', async () => {
    const { code, out } = await run(['node_modules/typescript/bin/tsc', '--noEmit']);
    assert.equal(code, 0, out);
  });

  test('gets its page, and is a type that a configuration can name', async () => {
    assert.equal((await run(['src/cli/docs.ts'])).code, 0);
    assert.match(readFileSync(join(directory, 'docs/sinks/collector.md'), 'utf8'), /# Destination: Collector[\s\S]*X-Api-Key/);
    const settings = 'type: collector, url: https://collector.example/in, key: a-key, start: now';
    writeFileSync(
      join(directory, 'waybill.yaml'),
      `ledger: { origin: a.example, path: ./data }\nsources: { app: { type: http } }\ndestinations: { there: { ${settings} } }\n`,
    );
    const { code, out } = await run(['src/cli/main.ts', 'check']);
    assert.equal(code, 0, out);
    assert.match(out, /destination there \(collector\): every entry, in order, once/);
  });
});
