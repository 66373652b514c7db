import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, join, posix } from 'node:path';
import { describe, test } from 'node:test';
import { docsPages } from '../src/cli/docs-pages.ts';
import { adapters } from '../src/cli/load-config.ts';
import { jsonSchemaOf } from '../src/config/json-schema.ts';
import { destinationKeys, sourceKeys } from '../src/config/schema.ts';
import { filesOf, importsOf, ROOT, resolveImport, withoutComments } from './tidy/files.ts';
import {
  BANNED,
  BANNED_EVERYWHERE,
  BANNED_NAMES,
  BANNED_TEXT,
  COLUMNS_MAX,
  IMPORTS,
  LINES_MAX,
  OUTSIDE,
  OUTSIDE_ALLOWED,
  PACKAGES,
  PAGE_PACKAGES,
} from './tidy/rules.ts';

const modules = filesOf('src', '.ts');
const shipped = modules.filter(({ path }) => !path.endsWith('.test.ts'));
const page = [...filesOf('console', '.ts'), ...filesOf('console', '.tsx')];
const code = [...modules, ...page, ...filesOf('test', '.ts'), ...filesOf('bench', '.ts')];
const pages = filesOf('', '.md');

/** Fails with all findings, one a line. */
function none(findings: readonly string[]): void {
  assert.deepEqual(findings, []);
}

function folderOf(path: string): string {
  return path.split('/')[1] ?? '';
}

describe('layout', () => {
  test('there is something to look at', () => {
    assert.ok(shipped.length > 60, `only ${shipped.length} modules were found`);
    assert.ok(shipped.flatMap(({ text }) => importsOf(text)).length > 150, 'the imports were not found');
    assert.ok(pages.length > 8, `only ${pages.length} pages were found`);
  });

  test('every folder of src has its row in the table of imports', () => {
    none([...new Set(shipped.map(({ path }) => folderOf(path)))].filter((folder) => !(folder in IMPORTS)));
  });

  test('every folder imports only what its row allows', () => {
    none(
      shipped.flatMap(({ path, text }) =>
        importsOf(withoutComments(text))
          .filter((specifier) => specifier.startsWith('.'))
          .map((specifier) => resolveImport(path, specifier))
          .filter((target) => !mayImport(folderOf(path), target))
          .map((target) => `${path} imports ${target}`),
      ),
    );
  });

  test('the page imports nothing but itself and its two packages, and talks to the server in one place', () => {
    const shown = page.filter(({ path }) => path.startsWith('console/src/') && !path.endsWith('.test.ts'));
    assert.ok(shown.length > 20, `only ${shown.length} modules of the page were found`);
    none(
      shown.flatMap(({ path, text }) =>
        importsOf(text)
          .filter((specifier) =>
            specifier.startsWith('.') ? !resolveImport(path, specifier).startsWith('console/src/') : !PAGE_PACKAGES.includes(specifier),
          )
          .map((specifier) => `${path} imports ${specifier}`),
      ),
    );
    none(
      shown
        .filter(({ path, text }) => !path.startsWith('console/src/api/') && /\bfetch\(|\bWebSocket\b|\bEventSource\b/.test(text))
        .map(({ path }) => path),
    );
    none(shown.filter(({ text }) => /dangerouslySetInnerHTML|\binnerHTML\b|\beval\(/.test(text)).map(({ path }) => path));
  });

  test('the verifier imports nothing but itself, the code of C2SP and one package, and asks nobody', () => {
    const shown = filesOf('verifier/src', '.ts');
    assert.ok(shown.length > 5, `only ${shown.length} modules of the verifier were found`);
    const mayUse = (target: string): boolean =>
      /^(?:verifier\/src|src\/tlog|console\/src\/style)\//.test(target) || target === 'src/export/growing.ts';
    none(
      shown.flatMap(({ path, text }) =>
        importsOf(text)
          .filter((specifier) =>
            specifier.startsWith('.') ? !mayUse(resolveImport(path, specifier)) : specifier !== '@noble/curves/ed25519.js',
          )
          .map((specifier) => `${path} imports ${specifier}`),
      ),
    );
    none(shown.filter(({ text }) => /\bfetch\(|\bWebSocket\b|\bEventSource\b|\binnerHTML\b|\beval\(/.test(text)).map(({ path }) => path));
  });

  test('every import leads to a file', () => {
    none(
      code
        .filter(({ path }) => !path.startsWith('test/tidy/'))
        .flatMap(({ path, text }) =>
          importsOf(withoutComments(text))
            .filter((specifier) => specifier.startsWith('.'))
            .filter((specifier) => !/\.(?:tsx?|js|json)$/.test(specifier) || !existsSync(join(ROOT, resolveImport(path, specifier))))
            .map((specifier) => `${path} imports ${specifier}, which is not there under this full name`),
        ),
    );
  });

  test('packages are imported where they belong, and by their name in package.json', () => {
    none(
      shipped.flatMap(({ path, text }) =>
        importsOf(withoutComments(text))
          .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
          .filter((specifier) => PACKAGES[specifier]?.includes(folderOf(path)) !== true)
          .map((specifier) => `${path} imports ${specifier}`),
      ),
    );
    none(
      code
        .flatMap(({ path, text }) => importsOf(text).map((specifier) => ({ path, specifier })))
        .filter(({ specifier }) => !specifier.startsWith('node:') && builtinModules.includes(specifier))
        .map(({ path, specifier }) => `${path} imports ${specifier} without node:`),
    );
  });

  test('the code of C2SP runs in a page: it imports only itself and knows nothing of node', () => {
    const pure = shipped.filter(({ path }) => folderOf(path) === 'tlog');
    assert.ok(pure.length > 10, `only ${pure.length} modules were found`);
    none(pure.filter(({ text }) => importsOf(text).some((specifier) => !specifier.startsWith('./'))).map(({ path }) => path));
    none(pure.filter(({ text }) => /\b(?:Buffer|process|require|__dirname)\b/.test(withoutComments(text))).map(({ path }) => path));
  });

  test('only runtime touches time, chance, disk, network and environment', () => {
    const found = shipped
      .filter(({ path }) => folderOf(path) !== 'runtime')
      .flatMap(({ path, text }) => OUTSIDE.filter(([, pattern]) => pattern.test(withoutComments(text))).map(([what]) => ({ path, what })));
    none(found.filter((finding) => !allowed(finding)).map(({ path, what }) => `${path} uses ${what}`));
    const stale = OUTSIDE_ALLOWED.flatMap(({ file, what }) => what.map((one) => ({ path: file, what: one }))).filter(
      (row) => !found.some(({ path, what }) => path === row.path && what === row.what),
    );
    none(stale.map(({ path, what }) => `${path} no longer uses ${what}: take it out of the table`));
  });

  test('names say what is inside', () => {
    none(code.filter(({ path }) => path.split('/').some((part) => BANNED_NAMES.test(part))).map(({ path }) => path));
  });

  test('files and lines are short', () => {
    none(code.filter(({ text }) => text.split('\n').length - 1 > LINES_MAX).map(({ path }) => `${path} has more than ${LINES_MAX} lines`));
    none(
      code.flatMap(({ path, text }) =>
        text
          .split('\n')
          .flatMap((line, place) => (line.length > COLUMNS_MAX ? [`${path}:${place + 1} is longer than ${COLUMNS_MAX}`] : [])),
      ),
    );
  });

  test('what is banned is not there', () => {
    // The rules themselves hold the words.
    const looked = code.filter(({ path }) => !path.startsWith('test/tidy'));
    none(looked.flatMap(({ path, text }) => [...bannedIn(path, text, BANNED_TEXT), ...bannedIn(path, withoutComments(text), BANNED)]));
  });

  test('every exported name has a doc comment', () => {
    none([...shipped, ...page].flatMap(({ path, text }) => undocumented(text).map((line) => `${path}: ${line}`)));
  });
});

describe('tables', () => {
  test('every sink, source and codec is one file with its own name', () => {
    for (const [folder, table] of [
      ['sinks', adapters.sinks],
      ['sources', adapters.sources],
      ['codecs', adapters.codecs],
    ] as const) {
      none(
        Object.entries(table)
          .filter(([type, row]) => (row as { readonly type: string }).type !== type || !existsSync(join(ROOT, `src/${folder}/${type}.ts`)))
          .map(([type]) => `src/${folder}/table.ts has the row ${type}, which is not the file of that name`),
      );
    }
  });

  test('every adapter that a file exports has its row', async () => {
    const rows: ReadonlySet<unknown> = new Set(
      [adapters.sinks, adapters.sources, adapters.codecs].flatMap((table) => Object.values<unknown>(table)),
    );
    const findings: string[] = [];
    for (const { path } of shipped.filter((file) => ['sinks', 'sources', 'codecs'].includes(folderOf(file.path)))) {
      const exported = (await import(join(ROOT, path))) as Readonly<Record<string, unknown>>;
      for (const [name, value] of Object.entries(exported))
        if (isAdapter(value) && !rows.has(value)) findings.push(`${path} exports ${name}`);
    }
    none(findings);
  });

  test('no adapter uses a key that every adapter has', () => {
    const destinations = jsonSchemaOf(destinationKeys).properties ?? {};
    const sources = jsonSchemaOf(sourceKeys).properties ?? {};
    none(Object.values(adapters.sinks).flatMap(({ config }) => taken(jsonSchemaOf(config).properties ?? {}, destinations)));
    none(Object.values(adapters.sources).flatMap(({ config }) => taken(jsonSchemaOf(config).properties ?? {}, sources)));
  });

  test('every key of the configuration says what it is', () => {
    const schemas = [
      ...Object.values(adapters.sinks).map(({ type, config }) => ({ type, schema: jsonSchemaOf(config) })),
      ...Object.values(adapters.sources).map(({ type, config }) => ({ type, schema: jsonSchemaOf(config) })),
      { type: 'destination', schema: jsonSchemaOf(destinationKeys) },
      { type: 'source', schema: jsonSchemaOf(sourceKeys) },
    ];
    none(
      schemas.flatMap(({ type, schema }) =>
        Object.entries(schema.properties ?? {}).flatMap(([key, { description }]) => (description === undefined ? [`${type}: ${key}`] : [])),
      ),
    );
  });

  test('every sink runs the conformance suite', () => {
    const harnesses = filesOf('test/conformance', '.ts')
      .map(({ text }) => text)
      .join('\n');
    none(Object.keys(adapters.sinks).filter((type) => !new RegExp(`sinks/${type}\\.ts'|sinks\\.${type}\\b|'${type}'`).test(harnesses)));
  });

  test('every source that is pulled runs the conformance suite', () => {
    const harnesses = filesOf('test/conformance', '.ts')
      .map(({ text }) => text)
      .join('\n');
    const pulled = Object.entries(adapters.sources).filter(([, { traits }]) => traits.delivery === 'resumable');
    assert.ok(pulled.length > 0);
    none(pulled.flatMap(([type]) => (new RegExp(`sources/${type}\\.ts'`).test(harnesses) ? [] : [type])));
  });
});

describe('pages', () => {
  test('what is made from the code is equal to it', () => {
    const written = new Map(pages.map(({ path, text }) => [path, text]));
    none([...docsPages()].filter(([path, text]) => written.get(path) !== text).map(([path]) => `${path} is stale: run npm run docs`));
    const made = docsPages();
    const extra = [...written.keys()].filter((path) => /^docs\/(?:sinks|sources)\//.test(path) && !made.has(path));
    none(extra.map((path) => `${path} has no adapter`));
  });

  test('every page has one title, at its beginning', () => {
    none(
      pages
        .filter(({ text }) => {
          const titles = withoutFences(text).match(/^# .+$/gm) ?? [];
          return titles.length !== 1 || !text.startsWith('# ');
        })
        .map(({ path }) => path),
    );
  });

  test('every link leads somewhere', () => {
    const anchors = new Map(pages.map(({ path, text }) => [path, anchorsOf(text)]));
    none(
      pages.flatMap(({ path, text }) =>
        [...withoutFences(text).matchAll(/\]\(([^)\s]+)\)/g)]
          .map((match) => match[1] ?? '')
          .filter((link) => !/^[a-z]+:/.test(link) && !leads(path, link, anchors))
          .map((link) => `${path} links to ${link}`),
      ),
    );
  });

  test('nothing names a machine or a registry', () => {
    const looked = [...code, ...pages, ...['.json', '.yaml', '.js', '.html', '.css'].flatMap((ending) => filesOf('', ending))].filter(
      ({ path }) => !path.startsWith('test/tidy'),
    );
    none(
      looked.flatMap(({ path, text }) =>
        BANNED_EVERYWHERE.flatMap(([pattern, why]) => {
          const match = pattern.exec(text);
          return match === null ? [] : [`${path}:${lineOf(text, match.index)} has ${match[0]}: ${why}`];
        }),
      ),
    );
  });
});

function allowed({ path, what }: { readonly path: string; readonly what: string }): boolean {
  return OUTSIDE_ALLOWED.some((row) => row.file === path && row.what.includes(what));
}

function taken(own: object, common: object): string[] {
  return Object.keys(own).filter((key) => Object.hasOwn(common, key));
}

function bannedIn(path: string, text: string, rules: typeof BANNED): string[] {
  return rules.flatMap(([pattern, instead]) => {
    const match = pattern.exec(text);
    return match === null ? [] : [`${path}:${lineOf(text, match.index)} has ${JSON.stringify(match[0])}: ${instead}`];
  });
}

function mayImport(folder: string, target: string): boolean {
  const inside = target.replace(/^src\//, '');
  return [folder, ...(IMPORTS[folder] ?? [])].some((allowed) => inside === allowed || inside.startsWith(`${allowed}/`));
}

function undocumented(text: string): string[] {
  const lines = text.split('\n');
  const names = new Set<string>();
  let grouped = false;
  return lines.filter((line, place) => {
    const name = /^export (?:declare )?(?:async )?(?:abstract )?(?:function\*?|const|let|class|interface|type) ([\w$]+)/.exec(line)?.[1];
    // One comment may stand above a block of constants.
    const before = lines[place - 1] ?? '';
    const documented = before.trimEnd().endsWith('*/') || (grouped && /^export const .*;/.test(before));
    grouped = documented && /^export const .*;/.test(line);
    // The second signature of one function is documented with the first.
    if (name === undefined || names.has(name)) return false;
    names.add(name);
    return !documented;
  });
}

function isAdapter(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('type' in value)) return false;
  return 'config' in value ? 'traits' in value : 'encode' in value && 'contentType' in value;
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

function withoutFences(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
}

function anchorsOf(text: string): ReadonlySet<string> {
  const titles = text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^#{1,6} (.+)$/gm);
  return new Set([...titles].map((match) => slug(match[1] ?? '')));
}

/** As the usual viewers of Markdown make it. */
function slug(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

function leads(page: string, link: string, anchors: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : posix.join(posix.dirname(page), path);
  if (!existsSync(join(ROOT, target))) return false;
  return anchor === undefined || !basename(target).endsWith('.md') || (anchors.get(target)?.has(anchor) ?? false);
}
