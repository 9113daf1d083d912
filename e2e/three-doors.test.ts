import assert from 'node:assert/strict';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { getTrainer, startRun, yankRelease } from '@trainyard/plugin-sdk/api';
import { npm, trainyard } from './support/command.ts';
import { editFile, initTrainer, packTrainer, uploadForm, verdictOf } from './support/packages.ts';
import { makeAdmin, type Person } from './support/people.ts';
import { endOf } from './support/runs.ts';
import { makeStripes } from './support/small-dataset.ts';
import { freePort, makeHome, removeHome, startSystem, type StartedSystem } from './support/start-system.ts';

let home: string;
/** Where the author works. */
let desk: string;
let system: StartedSystem;
let author: Person;
let dataset: string;

before(async () => {
  home = await makeHome();
  desk = join(home, 'desk');
  await mkdir(desk);
  system = await startSystem({ home, port: await freePort() });
  author = await makeAdmin(system.url, system.setUpToken);
  dataset = await makeStripes(author);
});
after(async () => removeHome(home, system));

async function releaseOf(name: string): Promise<string> {
  const params = { owner: author.organization, name };
  return (await author.client.call(getTrainer, { params })).release.id;
}

async function trains(name: string): Promise<void> {
  const trainer = `${author.organization}/${name}`;
  const run = await author.client.call(startRun, { body: { verb: 'train', trainer, dataset, config: { epochs: 2 } } });
  const ended = await endOf(author.client, run.id);
  assert.equal(ended.run.state, 'succeeded', `${trainer}: ${ended.run.sentence} ${ended.run.failure?.message ?? ''}`);
  assert.ok(ended.checkpoints.length > 0);
}

test('trainyard init, trainyard publish', async () => {
  const folder = await initTrainer(author, desk, 'by-cli');
  const published = await trainyard(author, ['publish', folder]);
  assert.equal(published.code, 0, published.stdout + published.stderr);
  assert.match(published.stdout, new RegExp(`Published: ${system.url}/trainers/${author.organization}/by-cli`));

  await editFile(folder, 'README.md', '#', '# Changed:');
  const again = await trainyard(author, ['publish', folder]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /Version 0\.1\.0 is already published/);
  assert.match(again.stderr, /Raise the version/);
  await trains('by-cli');
});

test('npm publish', async () => {
  const folder = await initTrainer(author, desk, 'by-npm');
  const published = await npm(author, ['publish'], { cwd: folder, home: desk });
  assert.equal(published.code, 0, published.stdout + published.stderr);
  const detail = await verdictOf(author.client, await releaseOf('by-npm'));
  assert.equal(detail.state, 'published', JSON.stringify(detail.findings));

  await editFile(folder, 'README.md', '#', '# Changed:');
  const again = await npm(author, ['publish'], { cwd: folder, home: desk });
  assert.notEqual(again.code, 0);
  assert.match(again.stderr, /cannot publish over|Version 0\.1\.0 is already published/);
  await trains('by-npm');
});

test('the form of the upload page', async () => {
  const folder = await initTrainer(author, desk, 'by-form');
  const bytes = new Uint8Array(await readFile(await packTrainer(author, folder)));
  const sent = await uploadForm(author, bytes);
  assert.equal(sent.status, 202, await sent.clone().text());
  const detail = await verdictOf(author.client, await releaseOf('by-form'));
  assert.equal(detail.state, 'published', JSON.stringify(detail.findings));

  await editFile(folder, 'README.md', '#', '# Changed:');
  const changed = new Uint8Array(await readFile(await packTrainer(author, folder)));
  const again = await uploadForm(author, changed);
  assert.equal(again.status, 409);
  assert.match(await again.text(), /"version-exists".*Raise the version/s);
  await trains('by-form');
});

test('npm view and npm install show published versions and nothing else', async () => {
  const name = `@${author.organization}/by-cli`;
  const view = await npm(author, ['view', name, 'versions', '--json'], { cwd: desk, home: desk });
  assert.equal(view.code, 0, view.stderr);
  assert.deepEqual([JSON.parse(view.stdout)].flat(), ['0.1.0']);

  const project = join(desk, 'project');
  await mkdir(project);
  const installed = await npm(author, ['install', name, '--ignore-scripts'], { cwd: project, home: desk });
  assert.equal(installed.code, 0, installed.stderr);
  assert.ok((await stat(join(project, 'node_modules', name, 'trainer.yaml'))).isFile());
});

test('a yanked version is gone for npm and for new runs', async () => {
  const params = { owner: author.organization, name: 'by-npm', version: '0.1.0' };
  await author.client.call(yankRelease, { params, body: { reason: 'It was a try.' } });
  const name = `@${author.organization}/by-npm`;
  const view = await npm(author, ['view', name, 'versions', '--json'], { cwd: desk, home: desk });
  assert.notEqual(view.code, 0);
  assert.match(view.stderr + view.stdout, /E404|no published/);
  await assert.rejects(
    author.client.call(startRun, {
      body: { verb: 'train', trainer: `${author.organization}/by-npm`, version: '0.1.0', dataset },
    }),
    /withdrawn: It was a try/,
  );
});
