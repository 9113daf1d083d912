import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { resumeRun, stopRun } from '@trainyard/plugin-sdk/api';
import { makeAdmin, type Person } from './support/people.ts';
import { findProcesses, processesOf, type SeenProcess } from './support/processes.ts';
import {
  curvesOf,
  endOf,
  epochsDone,
  readRun,
  referencePublished,
  startPacedRun,
  type Curves,
} from './support/runs.ts';
import { freePort, makeHome, removeHome, startSystem, type StartedSystem } from './support/start-system.ts';
import { waitFor } from './support/wait-for.ts';

const EPOCHS = 6;

let home: string;
let port: number;
let system: StartedSystem;
let admin: Person;
let calm: Curves;

before(async () => {
  home = await makeHome();
  port = await freePort();
  system = await startSystem({ home, port, leaseScale: 0.2 });
  admin = await makeAdmin(system.url, system.setUpToken);
  await referencePublished(admin.client);
  const run = await startPacedRun(admin.client, 'Undisturbed', EPOCHS);
  const { run: ended } = await endOf(admin.client, run);
  assert.equal(ended.state, 'succeeded', ended.sentence);
  calm = await curvesOf(admin.client, run);
  assert.equal(calm['val top1']?.length, EPOCHS);
});
after(async () => removeHome(home, system));

/** The trainer itself, not the shell that watches it. */
async function trainerOf(run: string): Promise<SeenProcess> {
  const { attempts } = await readRun(admin.client, run);
  const job = attempts.at(-1)?.job ?? 'none';
  return waitFor('the process of the trainer', async () => {
    const found = await findProcesses(home, new RegExp(`^\\S*node \\S+ train --job \\S*${job}`));
    return found[0];
  });
}

test('kill -9 of hub and supervisor: the run ends, no point is missing or doubled', async () => {
  const run = await startPacedRun(admin.client, 'Hub killed', EPOCHS);
  await epochsDone(admin.client, run, 2);
  const trainer = await trainerOf(run);
  await system.kill();
  system = await startSystem({ home, port, leaseScale: 0.2 });

  const { run: ended, attempts } = await endOf(admin.client, run);
  assert.equal(ended.state, 'succeeded', ended.sentence);
  assert.equal(attempts.length, 1, 'the trainer went on while nobody watched');
  assert.deepEqual(await curvesOf(admin.client, run, true), calm);
  await waitFor(
    'the end of the trainer',
    async () => !(await processesOf(home)).some(({ pid }) => pid === trainer.pid),
  );
});

test('kill -9 of the runner: it is started again and goes on with the same attempt', async () => {
  const run = await startPacedRun(admin.client, 'Runner killed', EPOCHS);
  await epochsDone(admin.client, run, 1);
  const trainer = await trainerOf(run);
  const [runner] = await findProcesses(home, /runner\/src\/main\.ts/);
  assert.ok(runner);
  process.kill(runner.pid, 'SIGKILL');
  await waitFor('the next runner', async () => {
    const [next] = await findProcesses(home, /runner\/src\/main\.ts/);
    return next !== undefined && next.pid !== runner.pid;
  });
  assert.equal((await trainerOf(run)).pid, trainer.pid, 'the trainer was not touched');

  const { run: ended, attempts } = await endOf(admin.client, run);
  assert.equal(ended.state, 'succeeded', ended.sentence);
  assert.equal(attempts.length, 1);
  assert.deepEqual(await curvesOf(admin.client, run, true), calm);
  assert.match(system.output(), /The runner ended \(SIGKILL\); starting it again/);
});

test('kill -9 of the trainer: a second attempt goes on from the last checkpoint', async () => {
  const run = await startPacedRun(admin.client, 'Trainer killed', EPOCHS);
  await epochsDone(admin.client, run, 2);
  process.kill((await trainerOf(run)).pid, 'SIGKILL');

  const { run: ended, attempts } = await endOf(admin.client, run);
  assert.equal(ended.state, 'succeeded', ended.sentence);
  assert.equal(attempts.length, 2);
  assert.equal(attempts[0]?.code, 'platform.killed');
  const from = attempts[1]?.resumedStep ?? 0;
  const saved = (calm['val top1'] ?? []).map(([step]) => step);
  assert.ok(saved.slice(1).includes(from), `went on from step ${from}, the end of an epoch: ${saved.join(', ')}`);
  assert.deepEqual(await curvesOf(admin.client, run), calm);
});

test('pause, then resume: the steps go on', async () => {
  const run = await startPacedRun(admin.client, 'Paused', EPOCHS);
  await epochsDone(admin.client, run, 2);
  await admin.client.call(stopRun, { params: { run }, body: { what: 'pause' } });
  const paused = await endOf(admin.client, run);
  assert.equal(paused.run.state, 'paused', paused.run.sentence);
  assert.ok(paused.can.resume);
  assert.ok(paused.checkpoints.some((checkpoint) => checkpoint.resumable));
  const before = await curvesOf(admin.client, run);

  await admin.client.call(resumeRun, { params: { run } });
  const { run: ended, attempts } = await endOf(admin.client, run);
  assert.equal(ended.state, 'succeeded', ended.sentence);
  assert.ok((attempts.at(-1)?.resumedStep ?? 0) >= (before['val top1']?.at(-1)?.[0] ?? Infinity));
  const whole = await curvesOf(admin.client, run);
  assert.deepEqual(whole['val top1'], calm['val top1'], 'as if it had never been paused');
});

test('stopping the system leaves no process, and its run goes on at the next start', async () => {
  const run = await startPacedRun(admin.client, 'System stopped', EPOCHS);
  await epochsDone(admin.client, run, 1);
  assert.equal(await system.stop(), 0);
  assert.deepEqual(await processesOf(home), []);

  system = await startSystem({ home, port, leaseScale: 0.2 });
  const { run: ended, attempts } = await endOf(admin.client, run);
  assert.equal(ended.state, 'succeeded', ended.sentence);
  assert.equal(attempts[0]?.outcome, 'preempted');
  assert.ok((attempts[1]?.resumedStep ?? 0) > 0);
  assert.deepEqual((await curvesOf(admin.client, run))['val top1'], calm['val top1']);

  assert.equal(await system.stop(), 0);
  assert.deepEqual(await processesOf(home), []);
});
