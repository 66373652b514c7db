import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { importsOf, resolveImport, withoutComments } from './files.ts';
import { BANNED, BANNED_EVERYWHERE, BANNED_NAMES, BANNED_TEXT, OUTSIDE } from './rules.ts';

/** Text that each rule must find, in the order of the rules. */
const OUTSIDE_EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  'node:fs': ["import { open } from 'node:fs/promises';", "import { openSync } from 'node:fs';"],
  'node:net': ["import { connect } from 'node:tls';", "import type { Socket } from 'node:net';"],
  'node:http': ["import { request } from 'node:https';"],
  'node:child_process': ["import { spawn } from 'node:child_process';"],
  'node:worker_threads': ["import { Worker } from 'node:worker_threads';"],
  'node:os': ["import { cpus } from 'node:os';"],
  'node:sqlite': ["import { DatabaseSync } from 'node:sqlite';"],
  timers: ['setTimeout(done, 5);', 'setImmediate(next);', "import { setTimeout as sleep } from 'node:timers/promises';"],
  'the clock': ['const now = Date.now();', 'new Date().toISOString()', 'performance.now()', 'AbortSignal.timeout(5)'],
  chance: ['Math.random()', 'crypto.randomUUID()', 'randomBytes(4)'],
  'the environment': ['process.env.HOME', "process.env['HOME']"],
  fetch: ['await fetch(url)'],
};

const BANNED_TEXT_EXAMPLES = ['// TODO later', '// @ts-ignore'];

const BANNED_EXAMPLES = [
  'export default class {}',
  "export * from './entry.ts';",
  'enum Colour { red }',
  'namespace Old {}',
  'const x: any = 1;',
];

describe('the rules of tidiness', () => {
  test('find what they are for', () => {
    assert.deepEqual(
      Object.keys(OUTSIDE_EXAMPLES),
      OUTSIDE.map(([what]) => what),
    );
    for (const [what, pattern] of OUTSIDE) for (const example of OUTSIDE_EXAMPLES[what] ?? []) assert.match(example, pattern);
    assert.equal(BANNED_EXAMPLES.length, BANNED.length);
    for (const [place, [pattern]] of BANNED.entries()) assert.match(BANNED_EXAMPLES[place] ?? '', pattern);
    assert.equal(BANNED_TEXT_EXAMPLES.length, BANNED_TEXT.length);
    for (const [place, [pattern]] of BANNED_TEXT.entries()) assert.match(BANNED_TEXT_EXAMPLES[place] ?? '', pattern);
    for (const name of ['index.ts', 'utils.ts', 'helper.test.ts', 'common']) assert.match(name, BANNED_NAMES);
    for (const text of ['see /home/ann/notes', 'https://nexus.corp.example/npm'])
      assert.ok(BANNED_EVERYWHERE.some(([pattern]) => pattern.test(text)));
  });

  test('leave alone what is fine', () => {
    const fine = [
      'new Date(ms)',
      'clock.sleep(5)',
      'as unknown',
      'if any of them',
      ': anything',
      "export const x = 'enumerate';",
      'ports.random.next()',
    ];
    const patterns = [...OUTSIDE.map(([, pattern]) => pattern), ...[...BANNED, ...BANNED_TEXT].map(([pattern]) => pattern)];
    for (const text of fine) for (const pattern of patterns) assert.doesNotMatch(text, pattern);
  });

  test('see imports in every form, and not in comments', () => {
    const text = [
      "import type { A } from './a.ts';",
      "import {\n  b,\n} from '../b.ts';",
      "import './c.ts';",
      "export { d } from './d.ts';",
      "const e = await import('./e.ts');",
      "// import { f } from './f.ts';",
      "/* import { g } from './g.ts'; */",
    ].join('\n');
    assert.deepEqual(importsOf(withoutComments(text)), ['./a.ts', '../b.ts', './c.ts', './d.ts', './e.ts']);
    assert.equal(resolveImport('src/sinks/http.ts', '../contracts/sink.ts'), 'src/contracts/sink.ts');
  });

  test('keep strings and the numbers of lines when comments go', () => {
    assert.equal(withoutComments("const a = 'http://x // y';\n/* one\ntwo */ b // c"), "const a = 'http://x // y';\n\n b ");
  });
});
