import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createToken, getRelease, revokeToken, startRun } from '@trainyard/plugin-sdk/api';
import { HubClient } from '@trainyard/plugin-sdk/client';
import { Problem } from '@trainyard/plugin-sdk';
import { trainyard } from './support/command.ts';
import { contradictingTrainer, moodyTrainer } from './support/moody-trainer.ts';
import { editFile, initTrainer, uploadForm, verdictOf } from './support/packages.ts';
import { makeAdmin, signUp, type Person } from './support/people.ts';
import { findProcesses } from './support/processes.ts';
import { digits, endOf, readRun, referencePublished, startPacedRun } from './support/runs.ts';
import { greyPng, makeStripes, stripes, uploadPictures } from './support/small-dataset.ts';
import { freePort, makeHome, removeHome, startSystem, type StartedSystem } from './support/start-system.ts';
import { waitFor } from './support/wait-for.ts';

let home: string;
let desk: string;
let system: StartedSystem;
let admin: Person;
let stranger: Person;

before(async () => {
  home = await makeHome();
  desk = join(home, 'desk');
  await mkdir(desk);
  system = await startSystem({ home, port: await freePort(), bare: true });
  admin = await makeAdmin(system.url, system.setUpToken);
  stranger = await signUp(system.url, 'Mallory');
});
after(async () => removeHome(home, system));

async function refusal(call: Promise<unknown>): Promise<Problem> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof Problem) return error;
  throw error ?? new Error('It was accepted.');
}

/** Everything a person reads in a refusal. */
function words(problem: Problem): string {
  const { info } = problem;
  const errors = (info.errors ?? []).map(
    (item) => `${item.file ?? ''}:${item.line ?? ''} ${item.pointer ?? ''} ${item.message} ${item.fix ?? ''}`,
  );
  return [problem.code, problem.message, info.fix, ...errors].join(' | ');
}

test('a malformed archive is refused at the door', async () => {
  const sent = await uploadForm(admin, new Uint8Array(Buffer.from('this is no archive at all')));
  const text = await sent.text();
  assert.equal(sent.status, 415, text);
  assert.match(text, /not a gzip-compressed tar archive.*trainyard pack/s);
});

test('an oversized package is refused before it is read whole', async () => {
  const sent = await uploadForm(admin, new Uint8Array(21 * 1024 * 1024));
  assert.equal(sent.status, 413, await sent.clone().text());
  assert.match(await sent.text(), /20 MiB/);
});

test('a wrong manifest: file, line and what to write instead', async () => {
  const folder = await initTrainer(admin, desk, 'wrong-manifest');
  await editFile(folder, 'trainer.yaml', 'resume: epoch', 'resume: sometimes');
  const sent = await trainyard(admin, ['publish', folder]);
  assert.notEqual(sent.code, 0);
  assert.match(sent.stderr + sent.stdout, /trainer\.yaml:\d+.*resume/s);
});

test('a config schema outside the dialect: which keyword and where', async () => {
  const folder = await initTrainer(admin, desk, 'wrong-schema');
  await editFile(
    folder,
    'config.schema.json',
    '"additionalProperties": false,',
    '"additionalProperties": false, "patternProperties": {},',
  );
  const sent = await trainyard(admin, ['publish', folder]);
  assert.notEqual(sent.code, 0);
  assert.match(sent.stderr + sent.stdout, /config\.schema\.json.*patternProperties/s);
});

test('an unknown config key and a value out of range: both at once, with the nearest name', async () => {
  await referencePublished(admin.client);
  const problem = await refusal(
    admin.client.call(startRun, {
      body: {
        verb: 'train',
        trainer: 'trainyard/reference',
        dataset: await digits(admin.client),
        config: { epoch: 3, batch: 0 },
      },
    }),
  );
  assert.equal(problem.code, 'config-invalid');
  assert.match(words(problem), /epoch.*epochs/s);
  assert.match(words(problem), /batch/);
});

test('a task that the trainer does not do', async () => {
  const dataset = await digits(admin.client);
  const body = { verb: 'train', trainer: 'trainyard/reference', dataset, task: 'detect' } as const;
  const problem = await refusal(admin.client.call(startRun, { body }));
  assert.match(words(problem), /does not do detect.*It does: classify/s);
});

test('pictures without class folders are no dataset, and a corrupt picture is named', async () => {
  const flat = await uploadPictures(admin, 'Flat', [{ path: 'a.png', bytes: greyPng(() => 3) }]);
  const said = await flat.text();
  assert.equal(flat.status, 422, said);
  assert.match(said, /folder/);

  const broken = [...stripes(), { path: 'left/broken.png', bytes: Buffer.from('not a picture') }];
  const corrupt = await uploadPictures(admin, 'Corrupt', broken);
  assert.match(await corrupt.text(), /left\/broken\.png/);
});

test('tokens: unknown, revoked, without the scope', async () => {
  const body = { verb: 'train', trainer: 'trainyard/reference' } as const;
  const unknown = new HubClient({ url: system.url, token: 'ty_u_unknown' });
  assert.match((await refusal(unknown.call(startRun, { body }))).code, /not-authenticated|token-expired/);

  const made = await admin.session.call(createToken, { body: { name: 'narrow', scopes: ['catalog:read'], days: 1 } });
  const narrow = new HubClient({ url: system.url, token: made.text });
  const missing = await refusal(narrow.call(startRun, { body }));
  assert.equal(missing.code, 'forbidden');
  assert.match(words(missing), /runs:write/);

  await admin.session.call(revokeToken, { params: { token: made.token.id } });
  assert.match((await refusal(narrow.call(startRun, { body }))).code, /not-authenticated|token-expired/);
});

test("somebody else's run is not found", async () => {
  const run = await startPacedRun(admin.client, 'Private', 1);
  const problem = await refusal(readRun(stranger.client, run));
  assert.equal(problem.status, 404);
  assert.equal(problem.code, 'not-found');
});

test('a foreign package waits for an administrator, and misbehaving runs of it end in a sentence', async () => {
  const folder = await moodyTrainer(stranger, desk);
  const sent = await trainyard(stranger, ['publish', folder, '--no-wait', '--json']);
  assert.equal(sent.code, 0, sent.stderr + sent.stdout);
  const release = String(JSON.parse(sent.stdout).release);

  const waiting = await waitFor('the reason it waits', async () => {
    const { waiting } = await stranger.client.call(getRelease, { params: { release } });
    return waiting?.sentence.includes('only a runner without a wall is here') === true ? waiting : null;
  });
  assert.match(waiting.sentence, /^Waiting for an administrator to approve/);
  const page = await stranger.session.request(`/releases/${release}/report`);
  assert.match(await page.text(), /Waiting for an administrator to approve/);
  const early = await refusal(start(stranger, 'good'));
  assert.equal(early.code, 'release-not-published');
  assert.equal((await trainyard(stranger, ['approve', release])).code, 77, 'its author may not');

  assert.equal((await trainyard(admin, ['approve', release])).code, 0);
  const verdict = await verdictOf(stranger.client, release);
  assert.equal(verdict.state, 'published', JSON.stringify(verdict.findings));

  const runs = await Promise.all(
    (['garbage', 'flood', 'contradict', 'silent-exit', 'never-ends'] as const).map((mood) => start(stranger, mood)),
  );
  const [garbage, flood, contradict, silent, never] = await Promise.all(
    runs.map(({ id }) => endOf(stranger.client, id, 120)),
  );
  assert.equal(garbage?.run.state, 'succeeded', garbage?.run.failure?.message);
  assert.equal(flood?.run.state, 'succeeded', flood?.run.failure?.message);
  const log = await (await stranger.client.request(`/api/v1/runs/${flood?.run.id}/log.txt`)).text();
  assert.match(log, /bytes were left out here: the log was too long/);
  assert.ok(log.length < 6_000_000, `${log.length} characters are kept of 84 million`);

  assert.equal(contradict?.run.failure?.code, 'internal.protocol');
  assert.match(contradict?.run.failure?.message ?? '', /said `failed` but ended with exit code 0/);
  assert.equal(silent?.run.failure?.code, 'internal.protocol');
  assert.match(silent?.run.failure?.message ?? '', /exit code 0 but without a `finished` event/);
  assert.equal(never?.run.failure?.code, 'platform.timeout');
  assert.match(never?.run.failure?.message ?? '', /time limit/);
  await noTrainerLeft('moody');
});

test('the validator refuses a trainer that contradicts its exit code, and names the check', async () => {
  const folder = await contradictingTrainer(admin, desk);
  const sent = await trainyard(admin, ['publish', folder]);
  assert.equal(sent.code, 1, sent.stdout);
  assert.match(sent.stdout, /exit-agreement/);
  assert.match(sent.stdout, /Not published: it is rejected/);
  await noTrainerLeft('contradicting');
});

function start(person: Person, mood: string) {
  return makeStripes(person).then((dataset) =>
    person.client.call(startRun, {
      body: {
        verb: 'train',
        trainer: `${person.organization}/moody`,
        dataset,
        config: { mood, epochs: 2 },
        ...(mood === 'never-ends' ? { maxSeconds: 10 } : {}),
      },
    }),
  );
}

/** No process of such a trainer remains; the sample run may go on. */
async function noTrainerLeft(what: string): Promise<void> {
  await waitFor(`the end of all processes of ${what}`, async () => {
    const left = await findProcesses(home, /^\S*node \S*\/packages\/\S+ (train|evaluate|describe|validate) /);
    if (left.length <= 1) return true;
    throw new Error(left.map(({ command }) => command.slice(0, 300)).join('\n'));
  });
}
