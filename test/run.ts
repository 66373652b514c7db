import { globSync } from 'node:fs';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

// Every test of the repository: beside the code, and in test/. Two files at a time, each in a process of its own.
// Patterns on the command line run a part: `npm test -- 'src/config/*.test.ts'`.
const root = join(import.meta.dirname, '..');
const patterns = process.argv.slice(2);
const files = globSync(
  patterns.length > 0 ? patterns : ['src/**/*.test.ts', 'console/src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts'],
  { cwd: root },
)
  .toSorted()
  .map((file) => join(root, file));

let passed = 0;
let failed = 0;
const events = run({ files, concurrency: 2, cwd: root, timeout: 600_000 });
events.on('test:summary', ({ file, counts, success }) => {
  // The summary without a file is the one of the whole run.
  if (file !== undefined) return;
  passed = counts.passed;
  failed = counts.tests - counts.passed - counts.skipped - counts.todo;
  if (!success) failed = Math.max(1, failed);
});

const report = events.compose(spec);
report.pipe(process.stdout, { end: false });
report.on('end', () => {
  // A run that found nothing to do has proved nothing.
  if (passed === 0) failed = Math.max(1, failed);
  process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
  process.exitCode = failed > 0 ? 1 : 0;
});
