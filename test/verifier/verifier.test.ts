import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { writeExport } from '../../src/export/export.ts';
import { sha256 } from '../../src/export/head.ts';
import { openDisk } from '../../src/runtime/disk.ts';
import { inclusionProof } from '../../src/tlog/proof.ts';
import { formatTlogProof } from '../../src/tlog/tlog-proof.ts';
import { startChromium } from '../console/chromium.ts';
import { assertAccessible, assertContrast, assertNoOverflow, type Complaints, listenTo } from '../console/page-checks.ts';
import { MadeLog, TestKey } from '../doubles/made-log.ts';

const ROOT = join(import.meta.dirname, '../..');
const FILE = pathToFileURL(join(ROOT, 'dist/verify.html')).href;
const BYTES_MAX = 100_000;

describe('the offline verifier, from a file', { timeout: 120_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-verifier-'));
  const log = new MadeLog();
  const good = join(directory, 'good');
  let browser: Browser;
  let page: Page;
  let complaints: Complaints;

  before(async () => {
    execFileSync(process.execPath, [join(ROOT, 'verifier/build.ts')]);
    browser = await startChromium();
    const other = new MadeLog();
    other.grow(300, (index) => `other ${index}`);
    forged = await other.note(300);
    log.grow(300);
    const disk = openDisk();
    await writeExport({ directory: good, source: log, onProgress: () => {} }, { disk });
    log.grow(400);
    await writeExport({ directory: good, source: log, onProgress: () => {} }, { disk });
    await disk.close();
    const proof = await inclusionProof(sha256, 700, 321, (level, index) => log.hash(level, index));
    const checkpoint = await log.note(700);
    mkdirSync(join(directory, 'proof'));
    writeFileSync(join(directory, 'proof/321.tlog-proof'), formatTlogProof({ index: 321, extra: null, proof, checkpoint }));
    writeFileSync(join(directory, 'proof/321.json'), log.entries[321] ?? '');
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    complaints = await listenTo(page, FILE.slice(0, FILE.lastIndexOf('/')));
    await page.goto(FILE);
  });
  after(async () => {
    await browser.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function verdict(): Promise<{ readonly kind: string; readonly text: string }> {
    const state = page.locator('#state[data-kind]');
    await state.waitFor();
    return { kind: (await state.getAttribute('data-kind')) ?? '', text: await page.locator('main').innerText() };
  }

  async function checkFolder(folder: string, keys = log.key.verifierKey): ReturnType<typeof verdict> {
    await page.locator('#keys').fill(keys);
    await page.locator('#folder').setInputFiles(folder);
    return verdict();
  }

  async function checkProof(files: readonly string[], keys = log.key.verifierKey): ReturnType<typeof verdict> {
    await page.locator('#keys').fill(keys);
    await page.locator('#files').setInputFiles(files.map((name) => (name.startsWith('/') ? name : join(directory, 'proof', name))));
    return verdict();
  }

  /** A copy of the export that somebody has changed. */
  function changed(name: string, change: (folder: string) => void): string {
    const folder = join(directory, name);
    cpSync(good, folder, { recursive: true });
    change(folder);
    return folder;
  }

  function edit(folder: string, file: string, change: (bytes: Buffer) => Uint8Array): void {
    writeFileSync(join(folder, file), change(readFileSync(join(folder, file))));
  }

  test('is one small file with a policy of its own', () => {
    const html = readFileSync(join(ROOT, 'dist/verify.html'), 'utf8');
    assert.ok(html.length < BYTES_MAX, `${html.length} characters`);
    assert.match(
      html,
      /content="default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'"/,
    );
    assert.doesNotMatch(html, /(?:src|href)="(?!#)/);
  });

  test('verifies an entry by its proof, and nothing else for it', async () => {
    const found = await checkProof(['321.tlog-proof', '321.json']);
    assert.equal(found.kind, 'verified', found.text);
    assert.match(found.text, /Entry 321 of example\.test\/audit is exactly these \d+ bytes/);
    const other = join(directory, 'proof', '322.json');
    writeFileSync(other, log.entries[322] ?? '');
    const wrong = await checkProof(['321.tlog-proof', other]);
    assert.equal(wrong.kind, 'failed');
    assert.match(wrong.text, /not entry 321 of the log/);
    assert.match((await checkProof(['321.tlog-proof'])).text, /checked together with the file of its entry/);
    assert.match((await checkProof(['321.tlog-proof', '321.json'], '')).text, /paste it above/);
    const foreign = await checkProof(['321.tlog-proof', '321.json'], new TestKey(log.origin, 'x').verifierKey);
    assert.equal(foreign.kind, 'failed');
    assert.match(foreign.text, /none of the known keys signed/);
    assert.match((await checkProof(['321.tlog-proof', '321.json'], 'rubbish')).text, /The key “rubbish” cannot be read/);
    const cut = join(directory, 'proof', 'cut.tlog-proof');
    writeFileSync(cut, readFileSync(join(directory, 'proof/321.tlog-proof'), 'utf8').replace('index 321', 'index 320'));
    assert.equal((await checkProof([cut, '321.json'])).kind, 'failed');
  });

  test('verifies an export, and says when nobody compared its key', async () => {
    const found = await checkFolder(good);
    assert.equal(found.kind, 'verified', found.text);
    assert.match(found.text, /whole and unchanged copy of example\.test\/audit/);
    assert.match(found.text, /all 700/);
    const unconfirmed = await checkFolder(good, '');
    assert.equal(unconfirmed.kind, 'unconfirmed');
    assert.match(unconfirmed.text, /under a key that nobody has compared/);
  });

  let forged = '';
  const tampered: readonly (readonly [string, (folder: string) => void, RegExp])[] = [
    [
      'a byte of an entry',
      (folder) => edit(folder, 'tile/entries/001', (bytes) => bytes.fill('!', 300, 301)),
      /Entry 25[678] is not the one[^]*Lowest index\s+25[678]/,
    ],
    [
      'two bundles changed over',
      (folder) => {
        renameSync(join(folder, 'tile/entries/000'), join(folder, 'x'));
        renameSync(join(folder, 'tile/entries/001'), join(folder, 'tile/entries/000'));
        renameSync(join(folder, 'x'), join(folder, 'tile/entries/001'));
      },
      /Entry 0 is not the one/,
    ],
    ['a bundle gone', (folder) => rmSync(join(folder, 'tile/entries/001')), /“tile\/entries\/001” is missing[^]*Lowest index\s+256/],
    ['a bundle cut', (folder) => edit(folder, 'tile/entries/002.p/188', (bytes) => bytes.subarray(0, -1)), /is not whole/],
    [
      'bytes behind a bundle',
      (folder) => edit(folder, 'tile/entries/001', (bytes) => Buffer.concat([bytes, Buffer.from('x')])),
      /1 bytes after its 256 entries/,
    ],
    ['a hash', (folder) => edit(folder, 'tile/0/001', (bytes) => bytes.fill(0, 64, 65)), /what is in “tile\/0\/001” is not theirs/],
    [
      'a hash above',
      (folder) => edit(folder, 'tile/1/000.p/2', (bytes) => bytes.fill(0, 40, 41)),
      /what is in “tile\/1\/000\.p\/2” is not theirs/,
    ],
    [
      'the size in the head',
      (folder) => edit(folder, 'checkpoint', (bytes) => Buffer.from(bytes.toString().replace('\n700\n', '\n300\n'))),
      /the signature of .* is wrong/,
    ],
    ['no head', (folder) => rmSync(join(folder, 'checkpoint')), /no file “checkpoint”/],
    [
      'an older head of another tree',
      (folder) => edit(folder, 'checkpoints/300', () => Buffer.from(forged)),
      /what is in “checkpoints\/300” is not theirs/,
    ],
    ['a file more', (folder) => writeFileSync(join(folder, 'tile/0/009'), 'x'), /“tile\/0\/009” does not belong/],
    ['an export that was interrupted', (folder) => writeFileSync(join(folder, 'unfinished'), '{}'), /was interrupted/],
  ];
  for (const [what, change, message] of tampered)
    test(`finds ${what}`, async () => {
      const found = await checkFolder(changed(what.replaceAll(' ', '-'), change));
      assert.equal(found.kind, 'failed', found.text);
      assert.match(found.text, message);
    });

  test('takes what is dropped, is used by keyboard, fits every width, and asks nobody', async () => {
    await page.locator('#keys').fill(log.key.verifierKey);
    const [proof, entry] = ['321.tlog-proof', '321.json'].map((name) => readFileSync(join(directory, 'proof', name), 'utf8'));
    const dropped = await page.evaluateHandle(
      ([a, b]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([a ?? ''], '321.tlog-proof'));
        transfer.items.add(new File([b ?? ''], '321.json'));
        return transfer;
      },
      [proof, entry],
    );
    await page.dispatchEvent('body', 'drop', { dataTransfer: dropped });
    await page.getByText('Entry 321 of').waitFor();
    await page.locator('#keys').focus();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'files');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'folder');
    for (const scheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      await assertContrast(page);
    }
    await assertAccessible(page);
    await assertNoOverflow(page, [1440, 768, 360]);
    assert.deepEqual(complaints.errors, []);
    assert.deepEqual(complaints.foreign, []);
  });

  test('works where it is served, under a policy that is as strict', async () => {
    const html = readFileSync(join(ROOT, 'dist/verify.html'), 'utf8');
    const { consoleRoutes } = await import('../../src/api/console.ts');
    const routes = consoleRoutes([{ path: 'verify.html', text: html }], { tokens: true, demo: false });
    const route = routes.find(({ path }) => path === '/verify.html');
    assert.ok(route !== undefined);
    const answer = await route.take({ header: () => undefined } as never, {} as never);
    const server = createServer((_request, response) => {
      response.writeHead(answer.status, { ...answer.headers });
      response.end(html);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const served = await browser.newPage();
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const heard = await listenTo(served, origin);
      await served.goto(`${origin}/verify.html`);
      await served.locator('#folder').setInputFiles(good);
      await served.locator('#state[data-kind="unconfirmed"]').waitFor();
      assert.deepEqual(
        heard.errors.filter((line) => !line.includes('favicon')),
        [],
      );
    } finally {
      server.close();
    }
  });
});
