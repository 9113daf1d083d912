import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startRun } from '@trainyard/plugin-sdk/api';
import type { Browser, Page } from 'playwright-core';
import { accessibilityFaults, openChromium, openPage, sidewaysScroll, type Visit } from '../support/chromium.ts';
import { makeAdmin, type Person } from '../support/people.ts';
import { digits, endOf, referencePublished } from '../support/runs.ts';
import { freePort, makeHome, removeHome, startSystem, type StartedSystem } from '../support/start-system.ts';

// What people do with a model that is trained: start from weights, look at one picture, evaluate, predict a split.

let home: string;
let system: StartedSystem;
let admin: Person;
let browser: Browser;
let visit: Visit;
let page: Page;
let run = '';

before(async () => {
  browser = await openChromium();
  home = await makeHome();
  system = await startSystem({ home, port: await freePort() });
  admin = await makeAdmin(system.url, system.setUpToken);
  await referencePublished(admin.client);
  visit = await openPage(browser, 1440, 900);
  page = visit.page;
  await page.goto(`${system.url}/sign-in`);
  await page.getByLabel('Email').fill(admin.email);
  await page.getByLabel('Password').fill(admin.password);
  await page.locator('main').getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${system.url}/`);
});
after(async () => {
  await browser?.close();
  if (home !== undefined) await removeHome(home, system);
});

async function checkPage(): Promise<void> {
  assert.deepEqual(await accessibilityFaults(page), []);
  assert.ok((await sidewaysScroll(page)) <= 0, `${page.url()} scrolls sideways`);
  assert.deepEqual(visit.errors, []);
}

test('weights are uploaded where the model is chosen, and a file that cannot be named is refused with a reason', async () => {
  await page.goto(`${system.url}/start/trainyard/reference`);
  const file = join(home, 'earlier.safetensors');
  await writeFile(file, Buffer.alloc(2 ** 20, 7));
  await page.locator('input[type=file]').setInputFiles({ ...(await asUpload(file)), name: 'two words.bin' });
  await page.getByText('cannot be the name of a file of weights').waitFor();
  visit.errors.length = 0; // Chromium logs the refused request.
  await page.locator('input[type=file]').setInputFiles(file);
  await page.locator('aside').getByText('earlier.safetensors').waitFor();
  assert.ok(await page.getByRole('radio', { name: 'earlier.safetensors' }).isChecked());
  await checkPage();
  await page.getByText('Random weights').first().click();
  await page.locator('aside').getByText('Random weights').waitFor();
});

async function asUpload(file: string): Promise<{ mimeType: string; buffer: Buffer }> {
  return { mimeType: 'application/octet-stream', buffer: await readFile(file) };
}

test('a trained model is evaluated; its numbers are drawn by class', async () => {
  const body = {
    verb: 'train' as const,
    trainer: 'trainyard/reference',
    model: 'conv-small',
    dataset: await digits(admin.client),
    config: { epochs: 6 },
  };
  run = (await admin.client.call(startRun, { body })).id;
  assert.equal((await endOf(admin.client, run, 120)).run.state, 'succeeded');
  await page.goto(`${system.url}/runs/${run}`);
  await page.getByRole('button', { name: 'Evaluate' }).click();
  await page.waitForURL((url) => url.pathname.startsWith('/runs/') && !url.pathname.includes(run));
  await page.locator('h1 + span', { hasText: 'Succeeded' }).waitFor();
  await page.goto(page.url());
  await page.getByRole('heading', { name: 'What was taken for what' }).waitFor();
  await checkPage();
});

test('a whole split is predicted, and every picture shows what was seen', async () => {
  await page.goto(`${system.url}/runs/${run}?tab=predict`);
  await checkPage();
  await page.getByRole('button', { name: 'Predict' }).click();
  await page.waitForURL((url) => url.pathname.startsWith('/runs/') && !url.pathname.includes(run));
  await page.locator('h1 + span', { hasText: 'Succeeded' }).waitFor();
  await page.goto(page.url());
  await page.locator('main img').first().waitFor();
  await checkPage();
});

test('one picture is looked at in the browser, by the exported model', async () => {
  await page.goto(`${system.url}/runs/${run}?tab=exports`);
  await page.locator('main form').getByRole('button', { name: 'Export' }).click();
  await page.waitForURL((url) => url.pathname.startsWith('/runs/') && !url.pathname.includes(run));
  await page.locator('h1 + span', { hasText: 'Succeeded' }).waitFor();
  await page.goto(`${system.url}/runs/${run}/try`);
  const input = page.locator('main input[type=file]');
  await input.waitFor({ state: 'attached' });
  await checkPage();
  const picture = await page.screenshot({ clip: { x: 0, y: 0, width: 320, height: 320 } });
  const began = Date.now();
  await input.setInputFiles({ name: 'first.png', mimeType: 'image/png', buffer: picture });
  await page.locator('main img').first().waitFor();
  await page.getByText(/%/).first().waitFor();
  console.log(`quick test in the browser: ${Date.now() - began} ms from the file to the answer`);
  await input.setInputFiles({ name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
  await page.getByRole('alert').getByText('broken.png').waitFor();
  await checkPage();
});
