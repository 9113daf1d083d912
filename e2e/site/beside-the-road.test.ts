import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Locator, Page } from 'playwright-core';
import {
  accessibilityFaults,
  keepScreenshot,
  openChromium,
  openPage,
  sidewaysScroll,
  type Visit,
} from '../support/chromium.ts';
import { freePort, makeHome, removeHome, startSystem, type StartedSystem } from '../support/start-system.ts';
import { waitFor } from '../support/wait-for.ts';

// What lies beside the road: bad input, the keyboard, the dark, the pages one meets only once.

let home: string;
let system: StartedSystem;
let browser: Browser;
let desktop: Visit;
let page: Page;

before(async () => {
  browser = await openChromium();
  home = await makeHome();
  system = await startSystem({ home, port: await freePort() });
  desktop = await openPage(browser, 1440, 900);
  page = desktop.page;
});
after(async () => {
  await browser?.close();
  if (home !== undefined) await removeHome(home, system);
});

/** Opens an address and waits until its scripts have taken over: SvelteKit adds its announcer then. */
async function visit(path: string): Promise<number> {
  const response = await page.goto(new URL(path, system.url).href);
  await page.locator('#svelte-announcer').waitFor({ state: 'attached' });
  return response?.status() ?? 0;
}

/** Nothing serious for axe, no sideways scrolling, nothing in the console but what the test is about. */
async function checkPage(expected?: RegExp): Promise<void> {
  assert.deepEqual(await accessibilityFaults(page), []);
  assert.ok((await sidewaysScroll(page)) <= 0, `${page.url()} scrolls sideways`);
  const errors = desktop.errors.splice(0).filter((text) => expected === undefined || !expected.test(text));
  assert.deepEqual(errors, []);
}

/** Presses Tab from the top of the page until that thing has the focus. */
async function tabTo(target: Locator): Promise<void> {
  const wanted = await target.elementHandle();
  for (let press = 0; press < 60; press += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((element) => document.activeElement === element, wanted)) return;
  }
  assert.fail(`Tab does not reach ${target.toString()} of ${page.url()}`);
}

test('the one-time link makes the first administrator, once', async () => {
  await visit(`/set-up?token=${system.setUpToken}`);
  await checkPage();
  await page.getByLabel('Name').fill('Ada');
  await page.getByLabel('Email').fill('ada@example.org');
  await page.getByLabel('Password').fill('a long enough password');
  await page.getByRole('button', { name: 'Become administrator' }).click();
  await page.waitForURL(`${system.url}/`);
  await page.getByRole('link', { name: 'Sign in' }).waitFor({ state: 'detached' });
  await visit(`/set-up?token=${system.setUpToken}`);
  await page.getByText('already has an administrator').waitFor();
  await checkPage();
});

test('an address that names nothing: one readable page with a way on', async () => {
  assert.equal(await visit('/runs/00000000-0000-4000-8000-000000000000'), 404);
  await page.getByRole('heading', { level: 1, name: 'There is nothing here' }).waitFor();
  await checkPage(/status of 404/);
  await page.getByRole('link', { name: 'To the first page' }).click();
  await page.waitForURL(`${system.url}/`);
});

test('a broken archive is answered with what is wrong and how to mend it', async () => {
  const file = join(home, 'broken.tgz');
  await writeFile(file, 'this is not an archive');
  await visit('/publish');
  await page.locator('input[type=file]').setInputFiles(file);
  const alert = page.getByRole('alert');
  await alert.waitFor();
  assert.match((await alert.textContent()) ?? '', /trainyard pack/);
  await checkPage(/status of 4\d\d/);
});

test('tokens: the text of a new one is shown once', async () => {
  await visit('/keys');
  await checkPage();
  await page.getByLabel('What it is for').fill('laptop');
  await page.getByRole('button', { name: 'Make token' }).click();
  await page.getByText('Copy it now: it is shown once.').waitFor();
  const text = await page.locator('code[title^=ty_]').first().getAttribute('title');
  assert.ok(text !== null && text.length > 20, 'the text is there');
  await checkPage();
  await visit('/keys');
  await page.getByText('laptop').first().waitFor();
  assert.equal((await page.content()).includes(text), false, 'never again');
});

test('datasets: the gallery shows the pictures', async () => {
  await waitFor(
    'the sample in the list',
    async () => {
      await visit('/datasets');
      return (await page.getByRole('link', { name: 'Handwritten digits' }).count()) > 0;
    },
    60,
  );
  await checkPage();
  await page.getByRole('link', { name: 'Handwritten digits' }).first().click();
  await page.waitForFunction(() => {
    const shown = document.querySelector('main ul img');
    return shown instanceof HTMLImageElement && shown.complete && shown.naturalWidth > 0;
  });
  await checkPage();
  await keepScreenshot(page, 'datasets');
});

test('every tab of a trainer; Tab reaches the button that starts a run', async () => {
  // It is listed once its checks have passed.
  await waitFor(
    'the reference trainer in the list',
    async () => {
      await visit('/trainers');
      return (await page.getByRole('link', { name: 'Reference classifier' }).count()) > 0;
    },
    60,
  );
  await page.getByRole('link', { name: 'Reference classifier' }).first().click();
  const shown = {
    Models: page.getByText('One hidden layer'),
    Settings: page.getByText('learning_rate').first(),
    Proof: page.getByText('Every required check passed.'),
    Releases: page.locator('table, li').getByText('1.0.0').first(),
  };
  const tabs = page.getByRole('navigation', { name: 'Parts of the trainer' });
  for (const [name, content] of Object.entries(shown)) {
    await tabs.getByRole('link', { name }).click();
    await content.waitFor();
    await checkPage();
  }
  await visit('/trainers/trainyard/reference');
  await tabTo(page.getByRole('link', { name: 'Start a run' }));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 2, name: 'Model' }).waitFor();
  await tabTo(page.getByRole('link', { name: 'Next: Data' }));
});

test('a value out of range: said at its field, nothing starts, and gone with the value', async () => {
  await visit('/start/trainyard/reference');
  await page.getByRole('link', { name: 'Next: Data' }).click();
  await page.getByRole('radio', { name: /Handwritten digits/ }).check();
  await checkPage();
  await page.getByRole('link', { name: 'Next: Settings' }).click();
  await page.getByRole('radio', { name: /Fast check/ }).check();
  const epochs = page.getByLabel('Epochs', { exact: true });
  await epochs.fill('99999');
  await epochs.blur();
  await page.locator('[data-field=epochs]').getByText('At most 10000.').waitFor();
  assert.equal(await epochs.getAttribute('aria-invalid'), 'true');
  await checkPage();
  await page.getByRole('link', { name: 'Next: Check and start' }).click();
  await page.getByText('This stops the start').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Start run' }).isDisabled(), true);
  await checkPage();
  await page.getByRole('link', { name: 'Back' }).click();
  await epochs.fill('3');
  await epochs.blur();
  await page.waitForFunction(() => document.querySelector('[aria-invalid=true]') === null);
  await page.getByRole('link', { name: 'Next: Check and start' }).click();
  await page.getByText('Nothing stops this run.').waitFor();
  await checkPage();
});

test('the sample run in the dark, and on a phone', async () => {
  await visit('/');
  await page.getByRole('link', { name: 'Open the run' }).click();
  await page.waitForURL(/\/runs\//);
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  await page.locator('figure canvas').nth(1).waitFor();
  await checkPage();
  await keepScreenshot(page, 'run-dark');
  await page.setViewportSize({ width: 390, height: 844 });
  await checkPage();
});

test('Korean: switched to in the top bar, which keeps the page; the browser may ask for it, without scripts too', async () => {
  await page.setViewportSize({ width: 1440, height: 900 });
  await visit('/trainers?q=reference');
  await page.getByRole('button', { name: '한국어' }).first().click();
  await page.getByRole('heading', { level: 1, name: '트레이너' }).waitFor();
  assert.equal(new URL(page.url()).search, '?q=reference');
  assert.equal(await page.locator('html').getAttribute('lang'), 'ko');
  await checkPage();
  assert.equal(await visit('/runs/00000000-0000-4000-8000-000000000000'), 404);
  await page.getByRole('heading', { level: 1, name: '페이지를 찾을 수 없습니다' }).waitFor();
  await checkPage(/status of 404/);

  const plain = await browser.newContext({ locale: 'ko-KR', javaScriptEnabled: false });
  const signIn = await plain.newPage();
  await signIn.goto(new URL('/sign-in?next=%2Fkeys', system.url).href);
  assert.equal(await signIn.locator('html').getAttribute('lang'), 'ko');
  await signIn.getByRole('heading', { level: 1, name: '로그인' }).waitFor();
  await signIn.getByRole('button', { name: 'English' }).first().click();
  await signIn.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor();
  assert.equal(new URL(signIn.url()).search, '?next=%2Fkeys');
  await plain.close();
});
