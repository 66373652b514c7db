import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { freePort } from '../../src/cli/machine.ts';
import { initWaybill, MAIN, startWaybill, until } from '../crash/process.ts';
import { startChromium } from './chromium.ts';
import { assertAccessible, assertContrast, assertNoOverflow, type Complaints, listenTo } from './page-checks.ts';

const ROOT = join(import.meta.dirname, '../..');
const BYTES_MAX = 150_000;
const WIDTHS = [1440, 1180, 1024, 768, 360];

let browser: Browser;

before(async () => {
  execFileSync(process.execPath, [join(ROOT, 'console/build.ts')]);
  browser = await startChromium();
});
after(() => browser.close());

async function text(page: Page, id: string): Promise<string> {
  return (await page.getByTestId(id).textContent()) ?? '';
}

async function number(page: Page, id: string): Promise<number> {
  return Number((/[\d,]+/.exec(await text(page, id))?.[0] ?? '0').replaceAll(',', ''));
}

test('the page is small', () => {
  const files = globSync('dist/console/**/*.{html,js,css,svg}', { cwd: ROOT });
  assert.ok(files.length >= 4, files.join(' '));
  const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(join(ROOT, file))).length, 0);
  assert.ok(bytes <= BYTES_MAX, `${bytes} bytes gzipped`);
});

describe('the demo in a browser', { timeout: 180_000 }, () => {
  let page: Page;
  let complaints: Complaints;
  let said = '';
  let address = '';
  const demo = spawn(process.execPath, [MAIN, 'demo', '--no-headless', '--for', '12s'], { stdio: ['ignore', 'pipe', 'inherit'] });

  before(async () => {
    demo.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until('the address', () => /#token=\w+\n/.test(said));
    address = /http:\S+/.exec(said)?.[0] ?? '';
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    complaints = await listenTo(page, new URL(address).origin);
    await page.goto(address);
  });
  after(() => demo.kill('SIGKILL'));

  test('events flow from three sources to three destinations', async () => {
    await until('the ledger to grow', async () => (await number(page, 'ledger-size')) > 100);
    for (const name of ['archive', 'hook', 'store']) {
      await until(`${name} to deliver`, async () => /^(?:delivering|up to date)$/.test(await text(page, `state-${name}`)));
    }
    assert.equal(new URL(page.url()).hash, '', 'the token stays in nobody’s address bar');
    assert.match(await page.locator('.entries tbody').innerText(), /user\.login|role\.grant|payment\.refund/);
    assert.match(await page.locator('.entries tbody').innerText(), /Desk assistant for /);
    await assertNoOverflow(page, WIDTHS);
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  test('a destination breaks: it waits in order, the others go on', async () => {
    await page.getByRole('button', { name: 'Break hook' }).click();
    await until('hook to wait', async () => (await text(page, 'state-hook')).startsWith('waiting, tries again'));
    await until('a queue', async () => (await number(page, 'lag-hook')) > 40);
    assert.match(await text(page, 'destination-hook'), /first in line: (?:entry )?[\d,]+.*tried (?:once|[\d,]+ times)/);
    assert.match(await text(page, 'destination-hook'), /SINK_BUSY/);
    assert.equal(await text(page, 'stuck'), 'hook is waiting');
    const size = await number(page, 'ledger-size');
    await until('the others to go on', async () => (await number(page, 'ledger-size')) > size + 20);
    for (const name of ['archive', 'store']) assert.ok((await number(page, `lag-${name}`)) < 150, `${name} is not held up`);
    assert.equal(await page.getByRole('button', { name: 'Compare everything' }).isDisabled(), true);
    const shape = (name: string) => page.getByTestId(`state-${name}`).locator('svg').innerHTML();
    assert.notEqual(await shape('hook'), await shape('archive'), 'the state is read without colour');
    for (const scheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      await assertContrast(page);
      await assertNoOverflow(page, WIDTHS);
    }
    await page.emulateMedia({ colorScheme: null });
    await page.setViewportSize({ width: 1440, height: 900 });
    await assertAccessible(page);
  });

  test('it is repaired, catches up, and everything agrees', async () => {
    await page.getByRole('button', { name: 'Repair hook' }).click();
    await until('hook to catch up', async () => (await number(page, 'lag-hook')) < 30);
    await page.getByRole('button', { name: 'Compare everything' }).click();
    await until('a verdict', async () => (await page.getByTestId('verdict').count()) === 1);
    assert.match(await text(page, 'verdict'), /All agree\. [\d,]+ entries, 0 lost, 0 repeated, 0 out of order/);
    await assertNoOverflow(page, [1440, 360]);
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  test('the guided minute, with a kill -9 in it', async () => {
    await page.getByRole('button', { name: 'Play' }).click();
    await until('the server to be gone', async () => /no answer/.test(await text(page, 'connection')));
    assert.match(await text(page, 'state-archive'), /not known/);
    await assertContrast(page);
    await until('the server to be back', async () => (await text(page, 'connection')) === 'live');
    await until('a verdict', async () => (await page.getByTestId('verdict').count()) === 1);
    assert.match(await text(page, 'verdict'), /All agree\. [\d,]+ entries, 0 lost, 0 repeated, 0 out of order/);
    await until('the last step', async () => (await page.locator('.step-done').count()) === 7);
    assert.match(said, /7\/7 Everything is compared: [\d,]+ entries at each of 3 places: 0 lost, 0 repeated, 0 out of order/);
  });

  test('the keyboard reaches everything, and those who want no motion see none', async () => {
    await page.getByRole('button', { name: 'Compare everything' }).focus();
    await page.keyboard.press('Shift+Tab');
    const reached: string[] = [];
    for (let k = 0; k < 40 && !reached.includes('Forget the token'); k += 1) {
      reached.push(await page.evaluate(() => document.activeElement?.textContent ?? ''));
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle);
      assert.notEqual(outline, 'none', 'the focus is seen');
      await page.keyboard.press('Tab');
    }
    for (const name of ['Play again', 'Compare everything', 'kill -9', 'Pause archive', 'Break hook', 'Hold'])
      assert.ok(reached.includes(name), `${name} in ${reached.join(', ')}`);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('.link-flow') ?? document.body).animationName), 'none');
    await page.emulateMedia({ reducedMotion: null });
  });

  test('the list can be held', async () => {
    await page.getByRole('button', { name: 'Hold' }).click();
    const first = page.locator('.entries tbody tr').first();
    const held = await first.innerText();
    const size = await number(page, 'ledger-size');
    await until('the ledger to grow', async () => (await number(page, 'ledger-size')) > size + 20);
    assert.equal(await first.innerText(), held);
    await page.getByRole('button', { name: 'Hold' }).click();
    await until('the list to go on', async () => (await first.innerText()) !== held);
  });

  test('nothing of it was an error, and nobody else was asked', async () => {
    assert.deepEqual(complaints.errors, []);
    assert.deepEqual(complaints.foreign, []);
    const directory = /\bkept in (\S+)/.exec(said)?.[1];
    assert.equal(directory, undefined);
    const gone = once(demo, 'exit');
    demo.kill('SIGINT');
    assert.deepEqual(await gone, [0, null], said);
  });
});

describe('the page of a normal run', { timeout: 120_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-console-'));
  after(() => rmSync(directory, { recursive: true, force: true }));

  test('asks for a token, shows what is there, and lets an operator pause', async (t) => {
    const port = await freePort();
    const yaml = `ledger: { origin: console.example/audit, path: ./data }
api:
  listen: 127.0.0.1:${port}
  tokens:
    - { name: eye, role: viewer, token: a-viewer-token-of-the-test }
    - { name: ops, role: operator, token: an-operator-token-of-the-test }
sources: { app: { type: http, schema: json } }
destinations: { archive: { type: file, path: ./out/audit.ndjson, start: beginning } }
`;
    const waybill = await startWaybill(initWaybill(directory, yaml), port);
    t.after(() => waybill.end('SIGKILL'));
    const page = await browser.newPage({ viewport: { width: 360, height: 800 } });
    const complaints = await listenTo(page, waybill.url);
    await page.goto(waybill.url);
    await assertAccessible(page);
    await assertContrast(page);
    await assertNoOverflow(page, [360, 1440]);
    const token = page.getByLabel('Token of a viewer, auditor or operator');
    await token.fill('wrong');
    await token.press('Enter');
    await page.getByText('This token is not known here').waitFor();
    // The browser itself notes that the server said no.
    assert.deepEqual(
      complaints.errors.filter((error) => !error.includes('401')),
      [],
    );

    await token.fill('a-viewer-token-of-the-test');
    await page.getByRole('button', { name: 'Open' }).click();
    await until('the flow', async () => (await text(page, 'state-archive')) === 'up to date');
    await assertNoOverflow(page, WIDTHS);
    await assertAccessible(page);
    await page.getByText('Nothing was accepted yet').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Break' }).count(), 0);
    assert.equal(await page.getByRole('heading', { name: 'The guided minute' }).count(), 0);
    await page.getByRole('button', { name: 'Pause archive' }).click();
    await page.getByText(/may not do this/).waitFor();
    assert.equal(await text(page, 'state-archive'), 'up to date');

    await page.getByRole('button', { name: 'Forget the token' }).click();
    await token.fill('an-operator-token-of-the-test');
    await token.press('Enter');
    await page.getByRole('button', { name: 'Pause archive' }).click();
    await until('the pause', async () => (await text(page, 'state-archive')) === 'paused by an operator');
    await page.getByRole('button', { name: 'Resume archive' }).click();
    await until('the end of the pause', async () => (await text(page, 'state-archive')) !== 'paused by an operator');
    assert.deepEqual(complaints.foreign, []);
    assert.deepEqual(
      complaints.errors.filter((error) => !/40[13]/.test(error)),
      [],
    );
    assert.ok(existsSync(join(directory, 'out')));
  });
});
