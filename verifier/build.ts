import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Rollup } from 'vite';

// Builds the verifier into one file, dist/verify.html, which works from a disk without a network: script and style stand inside it, and its
// policy allows exactly these two and nothing else. What it was built from is noted beside it, so that nothing is done when nothing has changed.
const root = join(import.meta.dirname, '..');
const out = join(root, 'dist/verify.html');
const note = join(root, 'dist/verify.sha256');
const SOURCES = [
  'verifier/**/*.{ts,css,html}',
  'console/src/style/{tokens,base}.css',
  'src/tlog/*.ts',
  'src/export/growing.ts',
  'package-lock.json',
];

const digest = sourcesDigest();
if (existsSync(out) && existsSync(note) && readFileSync(note, 'utf8') === digest) {
  process.stdout.write('the verifier is up to date\n');
} else {
  const html = await pageOf();
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(out, html);
  writeFileSync(note, digest);
  process.stdout.write(`the verifier was built into dist/verify.html, ${html.length} characters\n`);
}

async function pageOf(): Promise<string> {
  // Loading the tool takes longer than finding out that it is not needed.
  const { build } = await import('vite');
  const built = (await build({
    configFile: false,
    root: import.meta.dirname,
    logLevel: 'warn',
    build: { write: false, modulePreload: false, target: 'es2023', cssCodeSplit: false, assetsInlineLimit: 0, reportCompressedSize: false },
  })) as Rollup.RollupOutput;
  // What would end the element stands in a string or a regular expression, where this is the same.
  const script = textOf(built, '.js').replaceAll('</script', '<\\/script');
  const style = textOf(built, '.css');
  const policy = [
    "default-src 'none'",
    `script-src '${digestOf(script)}'`,
    `style-src '${digestOf(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return textOf(built, '.html')
    .replace(/\n *<script type="module"[^>]*><\/script>/, '')
    .replace(/\n *<link rel="stylesheet"[^>]*>/, '')
    .replace('content-security-policy" content=""', () => `content-security-policy" content="${policy}"`)
    .replace('</head>', () => `<style>${style}</style>\n</head>`)
    .replace('</body>', () => `<script type="module">${script}</script>\n</body>`);
}

function textOf(built: Rollup.RollupOutput, ending: string): string {
  const found = built.output.filter(({ fileName }) => fileName.endsWith(ending));
  const [one] = found;
  if (one === undefined || found.length > 1) throw new Error(`${found.length} files ${ending} were built`);
  return one.type === 'chunk' ? one.code : String(one.source);
}

function digestOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

function sourcesDigest(): string {
  const hash = createHash('sha256');
  for (const path of globSync(SOURCES, { cwd: root })
    .filter((name) => !name.endsWith('.test.ts'))
    .toSorted())
    hash
      .update(path)
      .update('\0')
      .update(readFileSync(join(root, path)));
  return hash.digest('hex');
}
