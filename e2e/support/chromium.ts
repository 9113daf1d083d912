import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from 'playwright-core';
import { waitFor } from './wait-for.ts';

const SCREENSHOTS = join(import.meta.dirname, '..', '..', 'docs', 'screenshots');
const MOST_BYTES = 250 * 1024;
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Everything a page complained about since the last look: console errors, uncaught errors, violated content policy. */
export interface Watch {
  readonly page: Page;
  /** Fails when there was a complaint; forgets them. Complaints that match `expected` are part of the test. */
  calm(expected?: RegExp): void;
}

/** The Chromium of this machine, without a window. */
export async function launchChromium(): Promise<Browser> {
  const found = (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap((folder) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name)))
    .find((path) => existsSync(path));
  if (found === undefined)
    throw new Error(
      'There is no chromium in PATH. Install it (Debian: apt-get install chromium), then run this again.',
    );
  return chromium.launch({ executablePath: found, args: ARGS });
}

export async function openPage(browser: Browser, url: string, options: BrowserContextOptions): Promise<Watch> {
  const context = await browser.newContext({ baseURL: url, locale: 'en-GB', reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(60_000);
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) =>
      console.error(`content policy: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  const page = await context.newPage();
  let complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => complaints.push(error.stack ?? error.message));
  return {
    page,
    calm(expected) {
      const unexpected = complaints.filter((text) => expected === undefined || !expected.test(text));
      complaints = [];
      assert.deepEqual(unexpected, [], `complaints of ${page.url()}`);
    },
  };
}

/** Opens an address and waits until its scripts have taken over. */
export async function visit(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await awake(page);
}

/** SvelteKit adds its announcer when the page has come alive. */
export async function awake(page: Page): Promise<void> {
  await page.locator('#svelte-announcer').waitFor({ state: 'attached' });
}

/** Serious and critical findings of axe, none of which may be there. */
export async function assertAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const grave = violations
    .filter((item) => item.impact === 'serious' || item.impact === 'critical')
    .map((item) => `${item.id}: ${item.nodes.map((node) => `${node.target.join(' ')} ${node.failureSummary ?? ''}`)}`);
  assert.deepEqual(grave, [], `axe on ${page.url()}`);
}

/** Fails when the page is wider than its window: nobody scrolls sideways. */
export async function assertFits(page: Page): Promise<void> {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wider <= 0, `${page.url()} is ${wider} px wider than its window`);
}

/** Presses Tab from the top of the page until that thing has the focus. */
export async function tabTo(page: Page, target: Locator, most = 60): Promise<void> {
  const element = await target.elementHandle();
  await page.evaluate(() => {
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  });
  for (let press = 0; press < most; press += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((wanted) => document.activeElement === wanted, element)) return;
  }
  assert.fail(`Tab does not reach ${target} of ${page.url()} in ${most} presses.`);
}

/** The text of a place once it differs from `before`: how a test sees that something is live. */
export function changed(place: Locator, before: string | null, seconds: number): Promise<string> {
  return waitFor(
    `another text than ${before}`,
    async () => {
      const now = await place.textContent({ timeout: 1000 });
      return now !== null && now.trim() !== '' && now !== before ? now : null;
    },
    seconds,
  );
}

/** A picture for docs/, written when it is missing or UPDATE_SCREENSHOTS=1. */
export async function picture(page: Page, name: string, mostHeight: number): Promise<void> {
  const path = join(SCREENSHOTS, `${name}.png`);
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (there && process.env['UPDATE_SCREENSHOTS'] !== '1') return;
  await mkdir(SCREENSHOTS, { recursive: true });
  const size = await page.evaluate(() => ({ width: window.innerWidth, height: document.documentElement.scrollHeight }));
  await page.mouse.move(0, 0);
  await page.screenshot({
    path,
    fullPage: true,
    clip: { x: 0, y: 0, width: size.width, height: Math.min(size.height, mostHeight) },
  });
  const { size: bytes } = await stat(path);
  assert.ok(bytes < MOST_BYTES, `${name}.png has ${bytes} bytes`);
}
