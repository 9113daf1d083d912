#!/usr/bin/env node
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { errorsFromFindings, newId, Problem, type AnyEvent, type Outcome } from '@trainyard/plugin-sdk';
import { extractPackage } from '@trainyard/plugin-sdk/archive';
import { drawCurve, explain, openOutput, parseSettings, type Output } from '@trainyard/plugin-sdk/cli';
import { resolveConfig, SchemaWorkerPool, type Config, type ConfigSchema } from '@trainyard/plugin-sdk/config';
import { packTrainer, readPackage } from '@trainyard/plugin-sdk/package';
import { EnvironmentFailed, openEnvironments } from '@trainyard/runner';
import { loadBackend } from '@trainyard/runner/backends';
import { runVerb } from '@trainyard/runner/work';
import { probeModel } from './trial/subject.ts';
import { acceptanceSize, drawTestData, formatFor, isTask, writeDataset } from './data/test-data.ts';

const USAGE = `Usage: trainyard dev [folder] [--set key=value]… [--task T] [--model ID] [--seed N] [--json]

Trains the trainer in the folder once, here, on generated pictures of parts on a belt, with a live curve. Ctrl-C asks it to stop as the hub would.
It runs with your own rights: only for trainers you trust.`;

const SEED = 7;
const GRACE = 30;
const LIMITS = { cpus: 2, memoryBytes: 8 * 1024 ** 3, shmBytes: 1024 ** 3, maxSeconds: 3600 };

interface Wish {
  readonly folder: string;
  readonly settings: readonly string[];
  readonly task: string | undefined;
  readonly model: string | undefined;
  readonly seed: number;
}

/** Draws the validation metric and the loss as they come. */
function watcher(primary: string, output: Output): (event: AnyEvent) => void {
  const curves = new Map<string, [number, number][]>();
  return (event) => {
    if (event.type === 'warning' && 'message' in event) output.line(`warning: ${event.message}`);
    if (event.type !== 'metric' || !('values' in event)) return;
    for (const [name, value] of Object.entries(event.values)) {
      if (value === null) continue;
      const key = `${event.split} ${name}`;
      curves.set(key, [...(curves.get(key) ?? []), [event.step, value]]);
    }
    const width = Math.min(72, (process.stdout.columns ?? 80) - 12);
    const shown = [`val ${primary}`, 'train loss'].flatMap((key) => {
      const points = curves.get(key);
      return points === undefined ? [] : drawCurve({ title: key, points }, width, 5);
    });
    output.redraw(shown);
    const value = event.split === 'val' ? event.values[primary] : undefined;
    if (!output.live && value !== undefined)
      output.line(`step ${event.step}  ${primary} ${value?.toPrecision(4) ?? 'not finite'}`);
  };
}

async function train(
  wish: Wish,
  output: Output,
  signal: AbortSignal,
): Promise<{ outcome: Outcome; tail: string; name: string }> {
  const tgz = await packTrainer(resolve(wish.folder));
  const scratch = await mkdtemp(join(tmpdir(), 'trainyard-dev-'));
  const schemas = new SchemaWorkerPool({ workers: 1 });
  const installation = newId();
  const backend = await loadBackend('process', { root: join(scratch, 'process'), installation });
  try {
    const reading = await readPackage(Readable.from([tgz]), { schemas });
    if (reading.content === null || reading.findings.some((finding) => finding.severity === 'error')) {
      throw new Problem('release-invalid', {
        detail: 'The package is not accepted as it is.',
        errors: errorsFromFindings(reading.findings),
      });
    }
    const { manifest, configSchemaText } = reading.content;
    const claim = manifest.tasks.find(({ id }) => wish.task === undefined || id === wish.task);
    const format = claim === undefined ? null : formatFor(claim);
    if (claim === undefined || format === null || !isTask(claim.id))
      throw new Problem('dataset-mismatch', {
        detail: `There are no generated pictures for ${wish.task ?? 'the tasks of this trainer'}.`,
        fix: `Name one of its tasks: ${manifest.tasks.map(({ id }) => id).join(', ')}.`,
      });
    const task = claim.id;
    const model = wish.model ?? probeModel(manifest, task) ?? '';
    const resolved = resolveConfig({
      schema: JSON.parse(configSchemaText) as ConfigSchema,
      task,
      values: parseSettings(wish.settings) as Config,
    });
    const checked = await schemas.validateConfig(configSchemaText, task, resolved.config);
    const wrong = [...resolved.problems, ...checked.errors];
    if (wrong.length > 0)
      throw new Problem('config-invalid', {
        detail: wrong[0]?.message ?? '',
        fix: wrong[0]?.fix ?? '',
        errors: wrong.map((error) => ({ code: 'config.invalid', ...error })),
      });
    const file = join(scratch, 'package.tgz');
    await writeFile(file, tgz);
    const folder = join(scratch, 'package');
    await extractPackage(file, folder);
    const shared = resolve(process.env['TRAINYARD_HOME'] ?? '.trainyard');
    const environments = openEnvironments(join(shared, 'runner', 'environments'));
    const environment = await environments.ensure(
      { digest: reading.sha256, folder, manifest },
      ({ sentence }) => output.redraw([sentence]),
      signal,
    );
    const size = acceptanceSize(task);
    output.redraw([`Drawing ${size.train + size.val} pictures`]);
    const data = await drawTestData(task, format, wish.seed, size, signal);
    const dataset = await writeDataset(data, join(scratch, 'dataset'));
    output.line(
      `Training ${manifest.name}@${manifest.version}, ${model}, on ${size.train} + ${size.val} generated pictures.`,
    );
    const { primary } = claim.metrics;
    const result = await runVerb({
      backend,
      installation,
      package: { folder, manifest },
      environment,
      verb: 'train',
      job: {
        task,
        model,
        config: resolved.config,
        configDigest: resolved.digest,
        seed: Number(resolved.config['seed'] ?? wish.seed),
        dataset,
        device: { kind: 'cpu', count: 1 },
      },
      root: join(scratch, 'jobs'),
      signal,
      onEvent: watcher(primary, output),
      limits: LIMITS,
      grace: GRACE,
    });
    for (const note of result.notes) output.line(`note: ${note}`);
    return {
      outcome: result.outcome,
      tail: result.stderrTail || result.stdoutTail,
      name: `${manifest.name}@${manifest.version}`,
    };
  } finally {
    await schemas.close();
    for (const handle of await backend.find()) await backend.remove(handle);
    await rm(scratch, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
      set: { type: 'string', multiple: true },
      task: { type: 'string' },
      model: { type: 'string' },
      seed: { type: 'string' },
    },
  });
  if (values.help === true) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const output = openOutput(values.json, process.stdout);
  const end = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => end.abort('cancel'));
  const { outcome, tail, name } = await train(
    {
      folder: positionals[0] ?? '.',
      settings: values.set ?? [],
      task: values.task,
      model: values.model,
      seed: Number(values.seed ?? SEED),
    },
    output,
    end.signal,
  );
  output.result({ trainer: name, outcome });
  if (outcome.state === 'succeeded') {
    output.line('It trained to its end. Next: trainyard validate');
    return 0;
  }
  output.line(
    outcome.state === 'stopped'
      ? 'It stopped and saved.'
      : `It failed: ${outcome.message ?? outcome.code ?? outcome.state}`,
  );
  if (outcome.hint !== undefined) output.line(`→ ${outcome.hint}`);
  if (outcome.state !== 'stopped' && tail.trim() !== '')
    output.line(
      tail
        .trimEnd()
        .split('\n')
        .slice(-15)
        .map((line) => `  | ${line}`)
        .join('\n'),
    );
  return outcome.state === 'stopped' ? 0 : (outcome.exit ?? 1);
}

try {
  process.exitCode = await main();
} catch (error) {
  const words =
    error instanceof Problem
      ? explain(error)
      : error instanceof EnvironmentFailed
        ? [error.message, `→ ${error.hint}`]
        : null;
  if (words === null) throw error;
  process.stderr.write(`${words.join('\n')}\n`);
  process.exitCode = 1;
}
