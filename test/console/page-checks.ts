import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';

/** What a page must not do, gathered while it is used. */
export interface Complaints {
  /** Errors of the page and of its scripts, and what its policy stopped. A server that is gone is not the page's fault. */
  readonly errors: readonly string[];
  /** Requests to anybody but its own server. */
  readonly foreign: readonly string[];
}

/** Listens to a page from its first moment on. */
export async function listenTo(page: Page, origin: string): Promise<Complaints> {
  const errors: string[] = [];
  const foreign: string[] = [];
  page.on('console', (message) => {
    const gone = /net::ERR_(?:CONNECTION_|EMPTY_RESPONSE|INCOMPLETE|SOCKET)/.test(message.text());
    if ((message.type() === 'error' || message.type() === 'warning') && !gone) errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith('data:')) foreign.push(url);
  });
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      console.error(`the policy stopped ${violatedDirective} ${blockedURI}`),
    );
  });
  return { errors, foreign };
}

/** Fails when anything of the page is wider than its window, at the widths given. */
export async function assertNoOverflow(page: Page, widths: readonly number[]): Promise<void> {
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    const wide = await page.evaluate(() => {
      const limit = document.documentElement.clientWidth;
      const found = [...document.querySelectorAll('body *')].filter((element) => {
        const { right, left, width: own } = element.getBoundingClientRect();
        return own > 1 && (right > limit + 0.5 || left < -0.5);
      });
      const cut = [...document.querySelectorAll('button, .state, .rate, .ledger-size')].filter(
        (one) => one.scrollWidth > one.clientWidth + 1,
      );
      return [...found, ...cut].map((element) => `${element.tagName} ${element.getAttribute('class')} ${element.textContent.slice(0, 30)}`);
    });
    assert.deepEqual(wide, [], `at ${width} px`);
  }
}

/** The contrast that every text must have with what is behind it (WCAG 2, AA). */
const CONTRAST_MIN = 4.5;

/** Fails when a text stands out too little. */
export async function assertContrast(page: Page): Promise<void> {
  const faint = await page.evaluate((least) => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    if (canvas === null) throw new Error('there is no canvas');
    const rgba = (color: string): number[] => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color: string): number => {
      const [r = 0, g = 0, b = 0] = rgba(color).map((value) => {
        const part = value / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element: Element | null): string => {
      if (element === null) return 'white';
      const { backgroundColor } = getComputedStyle(element);
      return (rgba(backgroundColor)[3] ?? 0) > 250 ? backgroundColor : behind(element.parentElement);
    };
    const texts = [...document.querySelectorAll('body *')].filter(
      (element) =>
        element.closest('.unseen, noscript, svg') === null &&
        [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim() !== ''),
    );
    if (texts.length < 5) throw new Error('there is no text');
    return texts.flatMap((element) => {
      const [light = 0, dark = 0] = [luminance(getComputedStyle(element).color), luminance(behind(element))].toSorted((a, b) => b - a);
      const contrast = (light + 0.05) / (dark + 0.05);
      return contrast >= least ? [] : [`${contrast.toFixed(2)} ${element.tagName} ${element.textContent.slice(0, 40)}`];
    });
  }, CONTRAST_MIN);
  assert.deepEqual(faint, []);
}

/** Fails for what those who listen or use the keyboard would miss. */
export async function assertAccessible(page: Page): Promise<void> {
  const faults = await page.evaluate(() => {
    const found: string[] = [];
    const name = (element: Element): string => element.getAttribute('aria-label') ?? element.textContent.trim();
    if (document.documentElement.lang === '') found.push('the page has no language');
    if (document.title === '') found.push('the page has no title');
    if (document.querySelectorAll('h1').length !== 1) found.push('the page has not one h1');
    if (document.querySelectorAll('main').length !== 1) found.push('the page has not one main');
    const names = [...document.querySelectorAll('button')].map(name);
    for (const one of names) if (one === '') found.push('a button has no name');
    for (const one of names.filter((same, place) => names.indexOf(same) !== place)) found.push(`two buttons are called ${one}`);
    for (const input of document.querySelectorAll('input'))
      if (document.querySelector(`label[for="${input.id}"]`) === null) found.push(`${input.id} has no label`);
    for (const image of document.querySelectorAll('svg, [role=img]'))
      if (image.getAttribute('aria-hidden') !== 'true' && image.getAttribute('aria-label') === null) found.push('a picture has no words');
    for (const section of document.querySelectorAll('section'))
      if (document.getElementById(section.getAttribute('aria-labelledby') ?? '') === null) found.push('a section has no title');
    for (const cell of document.querySelectorAll('thead th')) if (cell.getAttribute('scope') !== 'col') found.push('a column has no scope');
    let level = 0;
    for (const heading of document.querySelectorAll('h1, h2, h3')) {
      const next = Number(heading.tagName.slice(1));
      if (next > level + 1) found.push(`${heading.textContent} skips a level`);
      level = next;
    }
    return found;
  });
  assert.deepEqual(faults, []);
}
