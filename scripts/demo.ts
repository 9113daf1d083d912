import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readConfig } from '@trainyard/hub/config';
import { Problem, newId, type TaskId } from '@trainyard/plugin-sdk';
import {
  getRun,
  listBundled,
  listDatasets,
  resumeRun,
  searchTrainers,
  startRun,
  stopRun,
  synthSampleDataset,
  type DatasetShape,
  type RunInput,
  type RunShape,
} from '@trainyard/plugin-sdk/api';
import { followRun, openOutput, type Output } from '@trainyard/plugin-sdk/cli';
import { HubClient } from '@trainyard/plugin-sdk/client';
import { startSystem, type RunningSystem } from './supervise/start-system.ts';

/** `npm run demo`: the main job without a browser, on real input, start to end. */

interface Recipe {
  readonly trainer: string;
  readonly preset: string;
  readonly config: Record<string, unknown>;
  /** Without one the handwritten digits are classified; with one, parts on a belt are drawn for it. */
  readonly task?: TaskId;
  readonly model?: string;
  readonly goal: { readonly metric: string; readonly value: number };
}
const DIGITS_GOAL = { metric: 'top1', value: 0.95 } as const;
const RECIPES: Readonly<Record<string, Recipe>> = {
  timm: { trainer: 'trainyard/timm', preset: 'digits', config: {}, goal: DIGITS_GOAL },
  reference: {
    trainer: 'trainyard/reference',
    preset: 'balanced',
    config: { epochs: 12, steps_per_second: 60 },
    goal: DIGITS_GOAL,
  },
  ultralytics: {
    trainer: 'trainyard/ultralytics',
    preset: 'proof-detect',
    config: {},
    task: 'detect',
    model: 'yolov8-pico',
    goal: { metric: 'map50', value: 0.3 },
  },
  huggingface: {
    trainer: 'trainyard/huggingface',
    preset: 'proof-semantic',
    config: {},
    task: 'semantic',
    model: 'segformer-nano',
    goal: { metric: 'miou', value: 0.45 },
  },
};
const STEP_LIMIT_MS = 20 * 60_000;

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, trainer: { type: 'string', default: 'timm' } },
});
const output: Output = openOutput(values.json, process.stdout);
const say = (line: string): void => void (values.json ? process.stderr.write(`${line}\n`) : output.line(line));

async function localSession(home: string): Promise<{ url: string; token: string } | null> {
  const text = await readFile(join(home, 'local.json'), 'utf8').catch(() => null);
  if (text === null) return null;
  const session = JSON.parse(text) as { url: string; token: string };
  const answers = await fetch(`${session.url}/healthz`).then(
    (response) => response.ok,
    () => false,
  );
  return answers ? session : null;
}

async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  const end = Date.now() + STEP_LIMIT_MS;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > end)
      throw new Problem('unavailable', {
        detail: `${what} took too long.`,
        fix: 'Look at the logs in .trainyard/logs.',
      });
    await new Promise((done) => setTimeout(done, 500));
  }
}

async function needTrainer(client: HubClient, system: RunningSystem | null, name: string): Promise<void> {
  const short = name.split('/')[1] ?? name;
  let said = '';
  let asked = false;
  await until(`Publishing ${name}`, async () => {
    const { items } = await client.call(searchTrainers, { query: { owner: 'trainyard', limit: 100 } });
    if (items.some((item) => item.name === short)) return true;
    const bundled = (await client.call(listBundled, {})).items.find((item) => item.name === short);
    if (bundled !== undefined && bundled.state !== 'submitted') {
      if (bundled.state === 'failed' && (asked || bundled.releaseId !== null))
        throw new Problem('unavailable', {
          detail: bundled.sentence,
          fix: 'Mend that, then run the demo again; what was downloaded is kept. `npm run demo -- --trainer reference` needs no download.',
        });
      if (bundled.state !== 'preparing' && !asked) {
        asked = true;
        if (system === null)
          throw new Problem('forbidden', {
            detail: `${bundled.title} is not prepared on the running installation.`,
            fix: `An administrator runs: trainyard prepare ${short}`,
          });
        say(`${bundled.title} needs its environment once: up to ${(bundled.downloadBytes / 1e9).toFixed(1)} GB.`);
        await system.hub.prepareBundled(short);
      }
      const text = `${bundled.sentence}${bundled.progress === null ? '' : ` ${Math.round(bundled.progress * 100)} %`}`;
      if (output.live) output.redraw([text]);
      else if (text !== said) say(text);
      said = text;
    } else if (said !== 'checking') {
      said = 'checking';
      say(`Waiting until ${name} has passed its checks.`);
    }
    return null;
  });
}

async function start(client: HubClient, body: RunInput): Promise<RunShape> {
  return client.call(startRun, { body }, { idempotencyKey: newId() });
}

async function finish(client: HubClient, run: RunShape): Promise<RunShape> {
  const { run: ended } = await followRun(client, run.id, output);
  if (ended.state !== 'succeeded')
    throw new Problem('unavailable', {
      detail: `${ended.verb} ended ${ended.state}: ${ended.failure?.message ?? ended.sentence}`,
      fix: `Open ${client.url}/runs/${ended.id}`,
    });
  return ended;
}

/** The digits that come with Trainyard, or parts on a belt; drawn once, the same pictures every time. */
async function datasetFor(client: HubClient, task: TaskId | undefined): Promise<DatasetShape> {
  const { items } = await client.call(listDatasets, { query: task === undefined ? {} : { task } });
  if (task !== undefined) {
    const name = `Parts on a belt (${task})`;
    const known = items.find((item) => item.name === name);
    if (known !== undefined) return known;
    say(`0 Draw ${name}.`);
    const body = { task, name, seed: 7, train: 240, val: 60 };
    return (await client.call(synthSampleDataset, { body })).dataset;
  }
  return until(
    'The sample dataset',
    async () => (await client.call(listDatasets, { query: {} })).items.find((item) => item.sample) ?? null,
  );
}

async function demo(client: HubClient, system: RunningSystem | null, recipe: Recipe) {
  const began = Date.now();
  const dataset = await datasetFor(client, recipe.task);
  await needTrainer(client, system, recipe.trainer);
  say(`1 Train ${recipe.trainer} on ${dataset.name} (${dataset.snapshot?.files ?? 0} pictures).`);
  const run = await start(client, {
    verb: 'train',
    name: 'Demo',
    trainer: recipe.trainer,
    dataset: dataset.id,
    ...(recipe.task === undefined ? {} : { task: recipe.task }),
    ...(recipe.model === undefined ? {} : { model: recipe.model }),
    preset: recipe.preset,
    config: recipe.config,
  });
  let asked = false;
  const first = await followRun(client, run.id, output, {
    onRun: (shape) => {
      if (asked || shape.state !== 'running' || (shape.primary?.last ?? null) === null) return;
      asked = true;
      say('2 Stop in the middle, keep the checkpoint.');
      void client.call(stopRun, { params: { run: run.id }, body: { what: 'pause' } }).catch(() => undefined);
    },
  });
  let resumed = false;
  if (first.run.state === 'paused') {
    say('3 Resume from it.');
    await client.call(resumeRun, { params: { run: run.id } });
    await finish(client, run);
    resumed = (await client.call(getRun, { params: { run: run.id } })).attempts.some(
      (attempt) => (attempt.resumedStep ?? 0) > 0,
    );
  } else if (first.run.state !== 'succeeded') {
    throw new Problem('unavailable', {
      detail: `The training ended ${first.run.state}: ${first.run.failure?.message ?? ''}`,
      fix: `Open ${client.url}/runs/${run.id}`,
    });
  }
  const trained = await client.call(getRun, { params: { run: run.id } });
  const checkpoint = trained.checkpoints.findLast((item) => item.kinds.includes('best')) ?? trained.checkpoints.at(-1);
  if (checkpoint === undefined) throw new Problem('internal', { detail: 'The training left no checkpoint.' });
  say(`4 Evaluate ${checkpoint.name}.`);
  const evaluated = await finish(client, await start(client, { verb: 'evaluate', checkpoint: checkpoint.id }));
  const metrics = (await client.call(getRun, { params: { run: evaluated.id } })).metrics as {
    metrics?: Record<string, number>;
  } | null;
  const metric = { name: recipe.goal.metric, value: metrics?.metrics?.[recipe.goal.metric] ?? 0 };
  say('5 Export ONNX and compare it with the checkpoint.');
  const exported = await finish(
    client,
    await start(client, { verb: 'export', checkpoint: checkpoint.id, format: 'onnx' }),
  );
  const parity = (await client.call(getRun, { params: { run: exported.id } })).exports.at(-1)?.parity ?? null;
  say('6 Predict one picture.');
  const predicted = await finish(
    client,
    await start(client, { verb: 'predict', checkpoint: checkpoint.id, dataset: dataset.id }),
  );
  const one = (await client.call(getRun, { params: { run: predicted.id } })).predictions[0] as Prediction | undefined;
  if (one !== undefined) say(`  ${inWords(one, dataset.snapshot?.classes.map((entry) => entry.name) ?? [])}`);
  const page = (id: string): string => `${client.url}/runs/${id}`;
  return {
    trainer: recipe.trainer,
    dataset: dataset.name,
    metric: { name: metric.name, value: metric.value },
    parity: { passed: parity?.passed === true, maxAbs: parity?.maxAbs ?? null },
    resumed,
    firstPointSeconds: first.firstPointSeconds,
    seconds: (Date.now() - began) / 1000,
    urls: {
      trainer: `${client.url}/trainers/${recipe.trainer}`,
      dataset: `${client.url}/datasets/${dataset.id}`,
      run: page(run.id),
      evaluate: page(evaluated.id),
      export: page(exported.id),
      predict: page(predicted.id),
    },
  };
}

interface Prediction {
  readonly image?: string;
  readonly classes?: readonly { readonly class: number; readonly score: number }[];
  readonly instances?: readonly { readonly class: number; readonly score: number }[];
  readonly mask?: string;
}

function inWords({ image, classes, instances, mask }: Prediction, names: readonly string[]): string {
  if (mask !== undefined) return `${image ?? ''}: a mask of every pixel, ${mask}`;
  const found = (classes?.slice(0, 1) ?? instances?.filter(({ score }) => score >= 0.25) ?? []).map(
    (item) => `${names[item.class] ?? item.class} (${(item.score * 100).toFixed(1)} %)`,
  );
  return `${image ?? ''}: ${found.join(', ') || 'nothing found'}`;
}

async function main(): Promise<number> {
  const recipe = RECIPES[values.trainer];
  if (recipe === undefined)
    throw new Problem('bad-request', {
      detail: `There is no demo for ${values.trainer}.`,
      fix: `Use --trainer ${Object.keys(RECIPES).join(' or --trainer ')}.`,
    });
  // The demo shows the road; what takes minutes to measure is for `npm start`.
  const quiet = { TRAINYARD_LOG: 'error', TRAINYARD_PROVE: 'off' };
  const config = readConfig({ ...quiet, ...process.env });
  const home = resolve(config.TRAINYARD_HOME);
  const running = await localSession(home);
  const system =
    running === null
      ? await startSystem(config, { say, site: existsSync(new URL('../site/build/index.js', import.meta.url)) })
      : null;
  try {
    const session = running ?? (await localSession(home));
    if (session === null) throw new Problem('unavailable', { detail: 'The hub does not answer.' });
    say(running === null ? `Started Trainyard at ${session.url}.` : `Using the Trainyard that runs at ${session.url}.`);
    const result = await demo(new HubClient(session), system, recipe);
    const passed = result.metric.value >= recipe.goal.value && result.parity.passed;
    say(
      `${result.metric.name} ${result.metric.value.toFixed(4)}, ONNX ${result.parity.passed ? 'equal' : 'differs'} (largest difference ${result.parity.maxAbs?.toPrecision(2) ?? 'unknown'}), ${result.resumed ? 'resumed' : 'not resumed'}, ${result.seconds.toFixed(0)} s.`,
    );
    for (const [name, url] of Object.entries(result.urls)) say(`  ${name.padEnd(9)} ${url}`);
    if (system !== null) say('It is stopped now; `npm start` shows all of it in the browser.');
    output.result(result);
    if (!passed)
      say(`Not good enough: ${result.metric.name} should reach ${recipe.goal.value} and the export should be equal.`);
    return passed ? 0 : 1;
  } finally {
    await system?.stop();
  }
}

try {
  process.exit(await main());
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  process.stderr.write(`${error.message}${error.info.fix === undefined ? '' : ` ${error.info.fix}`}\n`);
  process.exit(1);
}
