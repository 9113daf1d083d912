import assert from 'node:assert/strict';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import {
  accessibilityFaults,
  keepScreenshot,
  openChromium,
  openPage,
  sidewaysScroll,
  type Visit,
} from '../support/chromium.ts';
import { initTrainer, packTrainer } from '../support/packages.ts';
import { makeAdmin, type Person } from '../support/people.ts';
import { freePort, makeHome, removeHome, startSystem, type StartedSystem } from '../support/start-system.ts';

let home: string;
let system: StartedSystem;
let admin: Person;
let browser: Browser;
let desktop: Visit;
let phone: Visit;
let page: Page;
let runUrl = '';

before(async () => {
  browser = await openChromium();
  home = await makeHome();
  system = await startSystem({ home, port: await freePort() });
  desktop = await openPage(browser, 1440, 900);
  page = desktop.page;
});
after(async () => {
  await browser?.close();
  await removeHome(home, system);
});

/** Nothing serious for axe, nothing in the console, no sideways scrolling; the same on a phone. */
async function checkPage(picture?: { desktop?: string; phone?: string }): Promise<void> {
  assert.deepEqual(await accessibilityFaults(page), []);
  assert.deepEqual(desktop.errors, []);
  if (picture?.desktop !== undefined) await keepScreenshot(page, picture.desktop);
  phone ??= await openPage(browser, 390, 844, desktop.context);
  await phone.context.addCookies(await desktop.context.cookies());
  await phone.page.goto(page.url());
  await phone.page.locator('h1').first().waitFor();
  if (picture?.phone !== undefined) await curves(phone.page, 1);
  assert.deepEqual(await accessibilityFaults(phone.page), []);
  assert.ok((await sidewaysScroll(phone.page)) <= 0, `${page.url()} scrolls sideways on a phone`);
  assert.deepEqual(phone.errors, []);
  if (picture?.phone !== undefined) await keepScreenshot(phone.page, picture.phone);
}

/** Waits until so many curves are drawn. */
async function curves(on: Page, count: number): Promise<void> {
  await on.waitForFunction((least) => document.querySelectorAll('canvas').length >= least, count);
}

function partsOf(what: string, part: string) {
  return page.getByRole('navigation', { name: `Parts of the ${what}` }).getByRole('link', { name: part });
}

test('a visitor sees a live curve on the first page, without an account', async () => {
  await page.goto(system.url);
  const came = Date.now();
  await curves(page, 1);
  console.log(`live curve ${((Date.now() - came) / 1000).toFixed(1)} s after the first page`);
  await checkPage();
});

test('the trainers, then one of them', async () => {
  await page.getByRole('link', { name: 'Trainers', exact: true }).first().click();
  await page.waitForURL(/\/trainers$/);
  await checkPage();
  await page.getByRole('link', { name: 'Reference classifier' }).first().click();
  await page.waitForURL(/\/trainers\/trainyard\/reference/);
  await page.getByRole('link', { name: 'Start a run' }).first().waitFor();
  await checkPage({ desktop: 'trainer' });
});

test('the set-up link makes an administrator; signing in', async () => {
  admin = await makeAdmin(system.url, system.setUpToken);
  await page.goto(`${system.url}/sign-in`);
  await checkPage();
  await page.getByLabel('Email').fill(admin.email);
  await page.getByLabel('Password').fill(admin.password);
  await page.locator('main').getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${system.url}/`);
});

test('the upload page publishes a package, its report says so', async () => {
  const desk = join(home, 'desk');
  await mkdir(desk);
  const file = await packTrainer(admin, await initTrainer(admin, desk, 'my-trainer'));
  await page.goto(`${system.url}/publish`);
  await checkPage();
  await page.locator('input[type=file]').setInputFiles(file);
  await page.waitForURL(/\/releases\/.*\/report/);
  await page.locator('h1 + span', { hasText: 'Published' }).waitFor();
  await checkPage({ desktop: 'report' });
});

test('the form drawn from the schema starts a run', async () => {
  await page.goto(`${system.url}/start/trainyard/reference`);
  await page.getByText('mlp-small').first().click();
  await page.getByRole('link', { name: 'Next: Data' }).click();
  await page.getByText('Handwritten digits').first().click();
  await page.getByRole('link', { name: 'Next: Settings' }).click();
  const epochs = page.getByLabel('Epochs', { exact: true });
  await epochs.fill('24');
  await epochs.press('Tab');
  await checkPage({ desktop: 'start' });
  await page.getByRole('link', { name: 'Next: Check and start' }).click();
  await page.getByText('Nothing stops this run.').waitFor();
  await page.getByRole('button', { name: 'Start run' }).click();
  await page.waitForURL(/\/runs\//);
  runUrl = page.url();
});

test('the page of the run is live; pause and resume', async () => {
  await curves(page, 2);
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('button', { name: 'Resume' }).waitFor();
  await checkPage();
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.locator('h1 + span', { hasText: 'Succeeded' }).waitFor();
  await page.goto(runUrl);
  await curves(page, 4);
  await checkPage({ desktop: 'run', phone: 'run-phone' });
  for (const part of ['Settings', 'Log', 'Checkpoints']) {
    await partsOf('run', part).click();
    await page.waitForURL(new RegExp(`tab=${part.toLowerCase()}`));
    await checkPage();
  }
});

test('an export is compared with its checkpoint and taken home', async () => {
  await partsOf('run', 'Exports').click();
  await page.getByLabel('Format').waitFor();
  await page.locator('main form').getByRole('button', { name: 'Export' }).click();
  await page.waitForURL((url) => url.pathname.startsWith('/runs/') && url.pathname !== new URL(runUrl).pathname);
  await page.locator('h1 + span', { hasText: 'Succeeded' }).waitFor();
  await page.goto(`${runUrl}?tab=exports`);
  await page.getByText('Equal to the checkpoint').waitFor();
  await checkPage({ desktop: 'exports' });
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download' }).first().click(),
  ]);
  const { size } = await stat(await download.path());
  assert.ok(size > 10_000, `${download.suggestedFilename()} has ${size} bytes`);
});

test('the first page, now with something to show', async () => {
  await page.goto(system.url);
  await curves(page, 2);
  await page
    .getByText(/Best [0-9.]+ at step [0-9]{3}/)
    .first()
    .waitFor();
  await checkPage({ desktop: 'home', phone: 'home-phone' });
});
