import { existsSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';

const PLACES = [
  process.env['CHROMIUM'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const SCREENSHOTS = join(import.meta.dirname, '..', '..', 'docs', 'screenshots');
const LARGEST_SCREENSHOT = 250_000;

export async function openChromium(): Promise<Browser> {
  const executablePath = PLACES.find((place) => place !== '' && existsSync(place));
  if (executablePath === undefined)
    throw new Error(
      'Chromium is missing. Install it (apt-get install chromium), or name it: CHROMIUM=/path/to/chromium',
    );
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
}

export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of the console and uncaught ones, with the address they came from. */
  readonly errors: string[];
}

export async function openPage(browser: Browser, width: number, height: number, from?: BrowserContext): Promise<Visit> {
  const storageState = await from?.storageState();
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: 'light',
    locale: 'en-GB',
    reducedMotion: 'reduce',
    acceptDownloads: true,
    // A phone's scrollbar lies over the page and takes no room.
    isMobile: width < 600,
    hasTouch: width < 600,
    ...(storageState === undefined ? {} : { storageState }),
  });
  const page = await context.newPage();
  page.setDefaultTimeout(90_000);
  const errors: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`${page.url()}: ${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => errors.push(`${page.url()}: ${error.message}`));
  return { page, context, errors };
}

/** What axe finds serious or critical, one line each. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${page.url()}: ${id} at ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}

/** Part of the page that is wider than the window: a page must not scroll sideways. */
export async function sidewaysScroll(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** Keeps a picture for the documentation: once, or anew with UPDATE_SCREENSHOTS=1. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  const path = join(SCREENSHOTS, `${name}.png`);
  if (existsSync(path) && process.env['UPDATE_SCREENSHOTS'] !== '1') return;
  await mkdir(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path, animations: 'disabled' });
  const { size } = await stat(path);
  if (size > LARGEST_SCREENSHOT) throw new Error(`${name}.png has ${size} bytes; ${LARGEST_SCREENSHOT} are allowed.`);
}
