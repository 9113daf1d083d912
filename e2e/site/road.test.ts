import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import {
  assertAccessible,
  assertFits,
  awake,
  changed,
  launchChromium,
  openPage,
  picture,
  tabTo,
  visit,
  type Watch,
} from '../support/chromium.ts';
import { freePort, makeHome, removeHome, startSystem, type StartedSystem } from '../support/start-system.ts';

const run = promisify(execFile);
const CLI = join(import.meta.dirname, '..', '..', 'plugin-sdk', 'src', 'cli', 'main.ts');
const WIDE = { viewport: { width: 1440, height: 900 }, colorScheme: 'light' } as const;
const NARROW = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true } as const;
const LONG = 180_000;

let home: string;
let folder: string;
let system: StartedSystem;
let browser: Browser;
let watch: Watch;
let page: Page;
/** Address of the run this file starts. */
let runPath = '';

before(async () => {
  browser = await launchChromium();
  folder = await mkdtemp(join(tmpdir(), 'trainyard-road-'));
  home = await makeHome();
  system = await startSystem({ home, port: await freePort() });
  watch = await openPage(browser, system.url, WIDE);
  page = watch.page;
});
after(async () => {
  await browser?.close();
  if (home !== undefined) await removeHome(home, system);
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

async function good(): Promise<void> {
  await assertAccessible(page);
  await assertFits(page);
  watch.calm();
}

test('home: a visitor sees the curve of the sample run grow within a minute', async () => {
  const opened = Date.now();
  await visit(page, '/');
  assert.match((await page.title()) ?? '', /Trainyard/);
  const value = page.locator('figure button[aria-pressed] .figures').first();
  await value.waitFor({ timeout: LONG });
  const seconds = (Date.now() - opened) / 1000;
  await changed(value, await value.textContent(), 30);
  await page.locator('figure canvas').first().waitFor();
  assert.ok(seconds <= 60 * Number(process.env['TRAINYARD_TEST_PATIENCE'] ?? 3), `${seconds} s`);
  console.log(`curve ${seconds.toFixed(1)} s after the first page`);
  await good();
});

test('set-up: the one-time link makes the first administrator', async () => {
  await visit(page, `/set-up?token=${system.setUpToken}`);
  await good();
  await page.getByLabel('Name').fill('Ada');
  await page.getByLabel('Email').fill('ada@example.org');
  await page.getByLabel('Password').fill('a long enough password');
  await page.getByRole('button', { name: 'Become administrator' }).click();
  await page.waitForURL(`${system.url}/`);
  await page.getByRole('link', { name: 'Sign in' }).waitFor({ state: 'detached' });
  watch.calm();

  await visit(page, `/set-up?token=${system.setUpToken}`);
  await page.getByText('already has an administrator').waitFor();
  watch.calm();
});

test('trainers: the reference trainer with all its tabs; Tab reaches its button', async () => {
  await visit(page, '/trainers');
  await page.getByRole('link', { name: 'Reference classifier' }).first().waitFor();
  await good();
  await page.getByRole('link', { name: 'Reference classifier' }).first().click();
  await page.getByRole('heading', { level: 1, name: 'Reference classifier' }).waitFor();
  await good();
  await picture(page, 'trainer', 1000);
  const tabs = page.getByRole('navigation', { name: 'Parts of the trainer' });
  const shown = {
    Models: page.getByText('One hidden layer'),
    Settings: page.getByText('learning_rate').first(),
    Proof: page.getByText('Every required check passed.'),
    Releases: page.locator('table, li').getByText('1.0.0').first(),
  };
  for (const [name, content] of Object.entries(shown)) {
    await tabs.getByRole('link', { name }).click();
    await content.waitFor();
    await good();
  }
  await visit(page, '/trainers/trainyard/reference');
  await tabTo(page, page.getByRole('link', { name: 'Start a run' }));
});

test('start: a wrong value is said at its field; the checked form begins a run', async () => {
  await visit(page, '/trainers/trainyard/reference');
  await page.getByRole('link', { name: 'Start a run' }).click();
  await page.getByRole('heading', { level: 2, name: 'Model' }).waitFor();
  await good();
  await tabTo(page, page.getByRole('link', { name: 'Next: Data' }));
  await page.keyboard.press('Enter');
  await page.getByRole('radio', { name: /digits/i }).check();
  await good();
  await page.getByRole('link', { name: 'Next: Settings' }).click();
  await page.getByRole('radio', { name: /Fast check/ }).check();

  const epochs = page.getByLabel('Epochs', { exact: true });
  await epochs.fill('99999');
  await epochs.blur();
  await page.locator('[data-field=epochs]').getByText('At most 10000.').waitFor();
  assert.equal(await epochs.getAttribute('aria-invalid'), 'true');
  await assertAccessible(page);
  await page.getByRole('link', { name: 'Next: Check and start' }).click();
  await page.getByText('This stops the start').waitFor();
  const begin = page.getByRole('button', { name: 'Start run' });
  assert.equal(await begin.isDisabled(), true, 'nothing starts with a wrong value');
  await page.getByRole('link', { name: 'Back' }).click();
  await page.locator('[data-field=epochs]').getByRole('button', { name: /3/ }).click();

  await page.locator('summary').filter({ hasText: 'System' }).click();
  const pace = page.getByLabel('Upper pace', { exact: true });
  await pace.fill('10');
  await pace.blur();
  await good();
  await picture(page, 'start', 1000);
  await page.getByRole('link', { name: 'Next: Check and start' }).click();
  await page.getByText('Nothing stops this run.').waitFor();
  await good();
  await page.getByLabel('Name of the run').fill('Digits, a first try');
  await begin.click();
  await page.waitForURL(/\/runs\/[^/?]+$/);
  runPath = new URL(page.url()).pathname;
});

test('run: live points, pause, resume, success', async () => {
  await page.getByRole('heading', { level: 1, name: 'Digits, a first try' }).waitFor();
  await awake(page);
  const value = page.locator('figure button[aria-pressed] .figures').first();
  await value.waitFor({ timeout: LONG });
  await changed(value, await value.textContent(), 30);
  await page.locator('figure canvas').first().waitFor();
  await good();
  await picture(page, 'run', 1000);
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('button', { name: 'Resume' }).waitFor({ timeout: LONG });
  await state('Paused');
  await good();
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByRole('button', { name: 'Resume' }).waitFor({ state: 'detached' });
  await state('Succeeded');
  await good();
  for (const tab of ['Settings', 'Log', 'Checkpoints']) {
    await page.getByRole('navigation', { name: 'Parts of the run' }).getByRole('link', { name: tab }).click();
    await page.locator('a[aria-current=page]').getByText(tab).waitFor();
    await good();
  }
});

async function state(word: string): Promise<void> {
  await page.locator('main').getByText(word, { exact: true }).first().waitFor({ timeout: LONG });
}

test('export: equal to the checkpoint, and its bytes arrive as a zip', async () => {
  await visit(page, `${runPath}?tab=exports`);
  await page.getByRole('button', { name: 'Export', exact: true }).click();
  await page.getByText('Equal to the checkpoint').waitFor({ timeout: LONG });
  await good();
  await picture(page, 'exports', 900);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download', exact: true }).click(),
  ]);
  const bytes = await readFile(await download.path());
  assert.match(download.suggestedFilename(), /\.zip$/);
  assert.equal(bytes.subarray(0, 4).toString('latin1'), 'PK\x03\x04');
  assert.ok(bytes.includes('model.onnx'), 'the model is in it');
  assert.ok(bytes.lastIndexOf('PK\x05\x06') > 0, 'it arrived to its end');
  watch.calm();
});

test('home again: signed in, beside a run that is over', async () => {
  await visit(page, '/');
  await page.locator('figure canvas').first().waitFor();
  await page.getByRole('heading', { level: 3, name: 'Reference classifier' }).waitFor();
  await good();
  await picture(page, 'home', 1000);
});

test('publish: a packed trainer is checked stage by stage and published', async () => {
  const source = join(folder, 'first-steps');
  const file = join(folder, 'first-steps.tgz');
  await run(process.execPath, [CLI, 'init', source, '--template', 'node', '--name', '@ada/first-steps']);
  await run(process.execPath, [CLI, 'pack', source, '--out', file]);
  await visit(page, '/publish');
  await good();
  await page.locator('input[type=file]').setInputFiles(file);
  await page.waitForURL(/\/releases\/[^/]+\/report$/);
  await page.getByText('Published: it is listed and can train.').waitFor({ timeout: LONG });
  await page.getByRole('link', { name: 'Open the listing' }).waitFor();
  await good();
  await picture(page, 'report', 1000);
});

test('publish: a broken archive is answered with what is wrong and how to mend it', async () => {
  const file = join(folder, 'broken.tgz');
  await writeFile(file, 'this is not an archive');
  await visit(page, '/publish');
  await page.locator('input[type=file]').setInputFiles(file);
  const alert = page.getByRole('alert');
  await alert.waitFor();
  assert.match((await alert.textContent()) ?? '', /trainyard pack/);
  await assertAccessible(page);
  watch.calm(/status of 4\d\d/);
});

test('a run that does not exist: one readable page with a way on', async () => {
  const response = await page.goto('/runs/01JD0000000000000000000000');
  assert.equal(response?.status(), 404);
  await page.getByRole('heading', { level: 1, name: 'There is nothing here' }).waitFor();
  await assertAccessible(page);
  await awake(page);
  watch.calm(/status of 404/);
  await page.getByRole('link', { name: 'To the first page' }).click();
  await page.waitForURL(`${system.url}/`);
});

test('datasets: the gallery shows the pictures', async () => {
  await visit(page, '/datasets');
  await good();
  await page
    .getByRole('link', { name: /digits/i })
    .first()
    .click();
  const first = page.locator('main ul img').first();
  await first.waitFor();
  await page.waitForFunction(() => {
    const shown = document.querySelector('main ul img');
    return shown instanceof HTMLImageElement && shown.complete && shown.naturalWidth > 0;
  });
  await good();
  await picture(page, 'datasets', 1000);
});

test('tokens: the text of a new one is shown once', async () => {
  await visit(page, '/keys');
  await good();
  await page.getByLabel('What it is for').fill('laptop');
  await page.getByRole('button', { name: 'Make token' }).click();
  await page.getByText('Copy it now: it is shown once.').waitFor();
  const text = await page.locator('code[title]').first().getAttribute('title');
  assert.match(text ?? '', /^ty_/);
  await good();
  await visit(page, '/keys');
  await page.getByText('laptop').first().waitFor();
  assert.equal((await page.content()).includes(text ?? '?'), false, 'never again');
});

test('home, trainer and run on a phone; the run in the dark', async () => {
  const storageState = await page.context().storageState();
  for (const [look, paths] of [
    [NARROW, { 'home-390': '/', 'trainer-390': '/trainers/trainyard/reference', 'run-390': runPath }],
    [{ ...WIDE, colorScheme: 'dark' }, { 'run-dark': runPath }],
  ] as const) {
    watch = await openPage(browser, system.url, { ...look, storageState });
    page = watch.page;
    for (const [name, path] of Object.entries(paths)) {
      await visit(page, path);
      if (name !== 'trainer-390') await page.locator('figure canvas').first().waitFor();
      await good();
      if (name !== 'trainer-390') await picture(page, name, name.endsWith('390') ? 1500 : 1000);
    }
  }
});
