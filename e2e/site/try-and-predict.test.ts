import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { getRun, startRun, type RunDetail } from '@trainyard/plugin-sdk/api';
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

test('one picture is tried by checkpoint: exported by the first picture, at once for the next', async () => {
  await page.goto(`${system.url}/runs/${run}?tab=predict`);
  await page.getByRole('link', { name: 'Try one picture' }).click();
  await page.getByText('The first picture takes some seconds').waitFor();
  await checkPage();
  const first = await page.screenshot({ clip: { x: 0, y: 0, width: 320, height: 320 } });
  await tryPicture('first.png', first);
  await page.getByRole('status').getByText('Making this checkpoint ready').waitFor();
  await answered();
  await checkPage();
  assert.equal((await exportsOf(run)).length, 1);

  const second = await page.screenshot({ clip: { x: 320, y: 0, width: 320, height: 320 } });
  const before = await page.locator('main img').first().getAttribute('src');
  const began = Date.now();
  await tryPicture('second.png', second);
  await page.waitForFunction((src) => document.querySelector('main img')?.getAttribute('src') !== src, before);
  await answered();
  console.log(`quick test, warm: ${Date.now() - began} ms from the file to the answer`);

  // The same checkpoint again, on a page of its own: the export that is there is taken.
  const [made] = await exportsOf(run);
  await page.goto(`${system.url}/runs/${run}/try?with=${made?.checkpointId}`);
  await tryPicture('first.png', first);
  await answered();
  assert.equal((await exportsOf(run)).length, 1);
});

test('one picture is tried by export; a file that is no picture is said to be none', async () => {
  const [made] = await exportsOf(run);
  await page.goto(`${system.url}/runs/${run}/try?with=${made?.id}`);
  await tryPicture('broken.png', Buffer.from('no picture'));
  await page.getByRole('alert').getByText('broken.png').waitFor();
  await tryPicture('small.png', await page.screenshot({ clip: { x: 0, y: 0, width: 64, height: 64 } }));
  await answered();
  await checkPage();
});

async function exportsOf(id: string): Promise<RunDetail['exports']> {
  return (await admin.client.call(getRun, { params: { run: id } })).exports;
}

async function tryPicture(name: string, buffer: Buffer): Promise<void> {
  await page.locator('main input[type=file]:enabled').setInputFiles({ name, mimeType: 'image/png', buffer });
}

async function answered(): Promise<void> {
  await page.locator('main img').first().waitFor();
  await page.locator('main aside').getByText(/%/).first().waitFor();
}
