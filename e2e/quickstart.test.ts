import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import { getTrainer, listRuns, readSeries } from '@trainyard/plugin-sdk/api';
import { HubClient } from '@trainyard/plugin-sdk/client';
import {
  failToStart,
  freePort,
  makeHome,
  removeHome,
  startSystem,
  type StartedSystem,
} from './support/start-system.ts';
import { processesOf } from './support/processes.ts';
import { waitFor } from './support/wait-for.ts';

const REFERENCE = { owner: 'trainyard', name: 'reference' };

let home: string;
let system: StartedSystem;
let firstPage = 0;

function visitor(): HubClient {
  return new HubClient({ url: system.url });
}

async function published() {
  const { release } = await visitor().call(getTrainer, { params: REFERENCE });
  return release.state === 'published' ? release : null;
}

async function sampleRun() {
  const { items } = await visitor().call(listRuns, { query: {} });
  return items.find((run) => run.sample) ?? null;
}

before(async () => {
  home = await makeHome();
  system = await startSystem({ home, port: await freePort() });
});
after(async () => removeHome(home, system));

test('the first page is there as soon as the start says so', async () => {
  const response = await fetch(system.url);
  firstPage = Date.now();
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /text\/html/);
  assert.match(await response.text(), /Trainyard/);
});

test('the reference trainer goes through the intake and is published', async () => {
  const release = await waitFor('the published reference trainer', published, 60);
  assert.equal(release.level, 'L1');
  assert.ok(
    release.report?.stages.some((stage) => stage.stage === 'contract' && stage.state === 'passed'),
    'its report shows the contract stage',
  );
});

test('a visitor without an account sees points of the sample run', async () => {
  const points = await waitFor(
    'points of the sample run',
    async () => {
      const run = await sampleRun();
      if (run === null) return null;
      const { series } = await visitor().call(readSeries, { params: { run: run.id }, query: {} });
      return series.find((item) => item.points.length > 0);
    },
    60,
  );
  assert.ok(points.points.length > 0);
  console.log(`first point ${((Date.now() - firstPage) / 1000).toFixed(1)} s after the first page`);
});

test('a second supervisor on the same folder is refused in one sentence', async () => {
  const second = await failToStart({ home, port: await freePort() });
  assert.equal(second.code, 1);
  assert.match(second.output, /already runs here \(process \d+\)/);
  assert.match(second.output, /TRAINYARD_HOME/);
  assert.doesNotMatch(second.output, /\n\s+at /, 'no stack');
  assert.equal((await fetch(system.url)).status, 200, 'the first one goes on');
});

test('Ctrl-C ends all of it; the next start keeps all of it and takes another port when its own is taken', async () => {
  const [release, run] = [await published(), await sampleRun()];
  assert.equal(await system.stop(), 0);
  assert.deepEqual(await processesOf(home), []);

  const port = await freePort();
  const taken = await occupy(port);
  try {
    system = await startSystem({ home, port });
  } finally {
    taken.close();
  }
  assert.notEqual(system.port, port);
  assert.match(system.output(), new RegExp(`Port ${port} is taken; using ${system.port}`));

  const again = await waitFor('the release after the second start', published, 30);
  assert.equal(again.id, release?.id);
  assert.equal(again.packageDigest, release?.packageDigest);
  assert.equal((await sampleRun())?.id, run?.id);
  const { items } = await visitor().call(listRuns, { query: {} });
  assert.equal(items.filter((item) => item.sample).length, 1, 'no second sample run');
  const { releases } = await visitor().call(getTrainer, { params: REFERENCE });
  assert.equal(releases.length, 1, 'no second release');
});

function occupy(port: number): Promise<Server> {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once('error', failed);
    server.listen(port, '127.0.0.1', () => done(server));
  });
}
