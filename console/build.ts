import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Builds the page into dist/console, which the API serves at `/`. What it was built from is noted beside it, so that nothing is done when
// nothing has changed.
const root = join(import.meta.dirname, '..');
const out = join(root, 'dist/console');
const note = join(root, 'dist/console.sha256');

const digest = digestOf([...globSync('console/**/*.{ts,tsx,css,html,svg,json}', { cwd: root }), 'package-lock.json']);
if (existsSync(join(out, 'index.html')) && existsSync(note) && readFileSync(note, 'utf8') === digest) {
  process.stdout.write('the console is up to date\n');
} else {
  // Loading the tools takes longer than finding out that they are not needed.
  const { build } = await import('vite');
  const { default: react } = await import('@vitejs/plugin-react');
  await build({
    configFile: false,
    root: import.meta.dirname,
    logLevel: 'warn',
    plugins: [react()],
    // Everything is a file of its own: the policy of the page allows nothing that stands inside another file.
    build: {
      outDir: out,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      target: 'es2023',
      reportCompressedSize: false,
    },
  });
  writeFileSync(note, digest);
  process.stdout.write('the console was built into dist/console\n');
}

function digestOf(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths.filter((name) => !name.endsWith('.test.ts')).toSorted())
    hash
      .update(path)
      .update('\0')
      .update(readFileSync(join(root, path)));
  return hash.digest('hex');
}
