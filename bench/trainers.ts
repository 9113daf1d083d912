import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { canonicalJson, newId, sha256, type DatasetFormat, type TaskId } from '@trainyard/plugin-sdk';
import { defaultsFor, type ConfigSchema, type JsonObject } from '@trainyard/plugin-sdk/config';
import type { DatasetFile } from '@trainyard/plugin-sdk/dataset';
import { loadBackend } from '@trainyard/runner/backends';
import { runVerb } from '@trainyard/runner/work';
import { parse } from 'yaml';
import { median } from './support/rounds.ts';

/**
 * What the SDK and the runner add to real frameworks. Share: CPU of the SDK's calls in the loop, of its heartbeat and of the runner, of all CPU that
 * the training took after its first epochs, in which the runner looks more often and its code is not compiled yet. Wall ratio: an epoch of ours
 * (training, validation, checkpoint) over one of the framework on its own, same pictures and settings; the two take turns.
 */
const GOAL_PERCENT = 0.5;
const ROUNDS = 2;
const EPOCHS = 24;
const WARM_UP = 8;
const root = join(import.meta.dirname, '..');
/** Python of each trainer's environment, from `npm run bench`. */
const PYTHONS: Readonly<Record<string, string>> = JSON.parse(process.env['TRAINYARD_BENCH_PYTHONS'] ?? '{}');

interface Subject {
  readonly trainer: string;
  readonly module: string;
  readonly task: TaskId;
  readonly format: DatasetFormat;
  readonly model: string;
  readonly pictures: { readonly train: number; readonly val: number };
  readonly referenceIs: string;
  /** Ends of its epochs in seconds. */
  reference(place: Place): Promise<readonly number[]>;
}

interface Place {
  readonly folder: string;
  /** Copy of the trainer with the program that times its calls: behind a wall nothing else can be seen. */
  readonly package: string;
  readonly python: string;
  readonly dataset: string;
  readonly file: DatasetFile;
  readonly config: JsonObject;
}

const SUBJECTS: readonly Subject[] = [
  {
    ...{ trainer: 'timm', module: 'timm_trainer', task: 'classify', format: 'imagefolder@1', model: 'test_resnet' },
    pictures: { train: 600, val: 150 },
    referenceIs: 'a plain timm loop',
    reference: (place) => plainLoop(place, 'timm_loop.py', { model: 'test_resnet' }),
  },
  {
    ...{ trainer: 'huggingface', module: 'huggingface_trainer', task: 'classify', format: 'imagefolder@1' },
    model: 'resnet-nano',
    pictures: { train: 600, val: 150 },
    referenceIs: "transformers' Trainer",
    reference: (place) =>
      plainLoop(place, 'huggingface_loop.py', {
        network: { embedding_size: 16, hidden_sizes: [16, 32, 64, 128], depths: [1, 1, 1, 1], layer_type: 'basic' },
      }),
  },
  {
    ...{ trainer: 'ultralytics', module: 'ultralytics_trainer', task: 'detect', format: 'yolo-detect@1' },
    model: 'yolov8-pico',
    pictures: { train: 120, val: 30 },
    referenceIs: 'the yolo command',
    reference: yoloCommand,
  },
];

async function measure(subject: Subject): Promise<void> {
  const folder = join(root, 'trainers', subject.trainer);
  const python = PYTHONS[subject.trainer];
  if (python === undefined) {
    console.log(`${subject.trainer}: not run: its environment could not be built`);
    process.exitCode = 1;
    return;
  }
  const place = await prepare(subject, folder, python);
  try {
    const shares: number[] = [];
    const sdk: number[] = [];
    const runner: number[] = [];
    const own: number[] = [];
    const other: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const both = [
        async (): Promise<void> => {
          const seen = await ours(subject, folder, place);
          shares.push(seen.share);
          sdk.push(seen.sdk);
          runner.push(seen.runner);
          own.push(period(seen.ends.slice(0, WARM_UP)));
        },
        async (): Promise<void> => void other.push(period(await subject.reference(place))),
      ];
      for (const side of round % 2 === 0 ? both : both.toReversed()) await side();
    }
    const share = median(shares);
    const verdict = share <= GOAL_PERCENT ? 'kept' : 'MISSED';
    const ratios = own.map((value, round) => value / (other[round] ?? Number.NaN));
    const load = `load ${(loadavg()[0] ?? 0).toFixed(1)} on ${availableParallelism()} cores`;
    console.log(
      `${subject.trainer} ${subject.task}: the SDK adds ${median(sdk).toFixed(0)} and the runner ${median(runner).toFixed(0)} µs of CPU to a step, ${share.toFixed(2)} % (${spread(shares)}), goal ${GOAL_PERCENT} %: ${verdict}; ` +
        `an epoch takes ${median(own).toFixed(2)} s, with ${subject.referenceIs} ${median(other).toFixed(2)} s, ratio ${median(ratios).toFixed(2)} (${spread(ratios)}; ${ROUNDS} rounds, ${load})`,
    );
  } finally {
    await rm(place.folder, { recursive: true, force: true });
  }
}

async function prepare(subject: Subject, folder: string, python: string): Promise<Place> {
  const place = await mkdtemp(join(tmpdir(), 'trainyard-bench-'));
  const dataset = join(place, 'dataset');
  const { task, format, pictures } = subject;
  const wish = JSON.stringify({ task, format, seed: 7, ...pictures });
  await output(process.execPath, [join(import.meta.dirname, 'support', 'draw-parts.ts'), wish, dataset], root);
  const file: DatasetFile = JSON.parse(await readFile(join(dataset, 'dataset.json'), 'utf8'));
  const copy = join(place, 'package');
  await cp(folder, copy, { recursive: true, dereference: true });
  await cp(join(import.meta.dirname, 'trainer_cost.py'), join(copy, 'trainer_cost.py'));
  const schema: ConfigSchema = JSON.parse(await readFile(join(folder, 'config.schema.json'), 'utf8'));
  const presets: { id: string; values: JsonObject }[] = JSON.parse(
    await readFile(join(folder, 'presets.json'), 'utf8'),
  );
  const preset = presets.find(({ id }) => id === `proof-${task}`);
  const config = { ...defaultsFor(schema, task), ...preset?.values, epochs: EPOCHS, workers: 0 };
  return { folder: place, package: copy, python, dataset, file, config };
}

interface Seen {
  /** Percent. */
  readonly share: number;
  /** Microseconds of CPU a step. */
  readonly sdk: number;
  readonly runner: number;
  readonly ends: readonly number[];
}

/** One training through the runner's process backend. */
async function ours(subject: Subject, folder: string, place: Place): Promise<Seen> {
  const manifest = parse(await readFile(join(folder, 'trainer.yaml'), 'utf8'));
  const installation = newId();
  const backend = await loadBackend('process', { root: join(place.folder, 'process'), installation });
  const entrypoint = ['python', '{package}/trainer_cost.py', String(WARM_UP), subject.module];
  const ends: number[] = [];
  let first: NodeJS.CpuUsage | null = null;
  let runner = 0;
  const run = await runVerb({
    ...{ backend, installation, root: place.folder, verb: 'train' as const },
    package: { folder: place.package, manifest: { ...manifest, entrypoint } },
    environment: { python: place.python, path: [dirname(place.python)] },
    job: {
      ...{ task: subject.task, model: subject.model, config: place.config, seed: 0 },
      configDigest: sha256(canonicalJson(place.config)),
      dataset: { folder: place.dataset, format: subject.format, digest: place.file.digest },
      device: { kind: 'cpu', count: 1 },
    },
    signal: new AbortController().signal,
    limits: { cpus: 1, memoryBytes: 8 * 2 ** 30, shmBytes: 2 ** 28, maxSeconds: 900 },
    grace: 30,
    onEvent(event) {
      if (event.type !== 'metric' || 'other' in event) return;
      if (event.split === 'val') ends.push(Date.parse(event.ts) / 1000);
      if (ends.length >= WARM_UP) first ??= process.cpuUsage();
      const { user, system } = process.cpuUsage(first ?? undefined);
      runner = (user + system) / 1e6;
    },
  });
  if (run.exit.kind !== 'exited' || run.exit.code !== 0) throw new Error(`${subject.trainer}: ${run.stderrTail}`);
  if (ends.length !== EPOCHS) throw new Error(`${subject.trainer} told the end of ${ends.length} of ${EPOCHS} epochs`);
  const cost: { steps: number; sdk: number; cpu: number } = JSON.parse(run.stdoutTail.trim().split('\n').at(-1) ?? '');
  return {
    share: ((cost.sdk + runner) / cost.cpu) * 100,
    sdk: (cost.sdk / cost.steps) * 1e6,
    runner: (runner / cost.steps) * 1e6,
    ends,
  };
}

function spread(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}`;
}

/** Seconds of an epoch; the first one is left out, it warms up. */
function period(ends: readonly number[]): number {
  return ((ends.at(-1) ?? Number.NaN) - (ends[0] ?? Number.NaN)) / (ends.length - 1);
}

async function plainLoop(place: Place, script: string, more: JsonObject): Promise<readonly number[]> {
  const classes = place.file.classes.map(({ dir, name }) => dir ?? name);
  const file = join(place.folder, 'settings.json');
  await writeFile(file, JSON.stringify({ ...place.config, ...more, epochs: WARM_UP, classes, dataset: place.dataset }));
  const text = await output(place.python, [join(import.meta.dirname, script), file], place.folder);
  return text.trim().split('\n').map(Number);
}

const THEIR_NAMES: Readonly<Record<string, string>> = { image_size: 'imgsz', learning_rate: 'lr0' };
/** Settings of ours that are no arguments of the command, or that it leaves off unless told. */
const NOT_THEIRS: readonly string[] = ['eval_metric', 'precision', 'max_minutes', 'cache', 'compile', 'save_period'];

/** All our settings under its own names; the network is the probe's. */
async function yoloCommand(place: Place): Promise<readonly number[]> {
  const { folder, dataset, file, config, python } = place;
  const names = Object.fromEntries(file.classes.map(({ index, name }) => [index, name]));
  const data = { path: dataset, train: 'images/train', val: 'images/val', names };
  await writeFile(join(folder, 'data.yaml'), JSON.stringify(data));
  const write =
    'import json, sys; from ultralytics_trainer.network import config_of, found_network; json.dump(config_of(found_network("yolov8-pico")), open(sys.argv[1], "w"))';
  const source = join(root, 'trainers', 'ultralytics', 'src');
  await output(python, ['-c', write, join(folder, 'yolov8.yaml')], folder, { PYTHONPATH: source });
  const wanted = {
    ...{ model: join(folder, 'yolov8.yaml'), data: join(folder, 'data.yaml'), device: 'cpu', amp: false, plots: false },
    ...{ project: folder, name: 'own', exist_ok: true },
    ...Object.fromEntries(
      Object.entries(config)
        .filter(([key, value]) => value !== null && !NOT_THEIRS.includes(key))
        .map(([key, value]) => [THEIR_NAMES[key] ?? key, value]),
    ),
    epochs: WARM_UP,
  };
  const settings = Object.entries(wanted).map(([key, value]) => `${key}=${value}`);
  await output(join(dirname(python), 'yolo'), ['detect', 'train', ...settings], folder);
  const rows = (await readFile(join(folder, 'own', 'results.csv'), 'utf8')).trim().split('\n').slice(1);
  return rows.map((row) => Number(row.split(',')[1]));
}

async function output(program: string, args: readonly string[], cwd: string, more = {}): Promise<string> {
  const env = { ...process.env, OMP_NUM_THREADS: '1', HF_HUB_OFFLINE: '1', YOLO_CONFIG_DIR: cwd, ...more };
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [text, errors] = ['', ''];
  child.stdout.on('data', (part: Buffer) => (text += part.toString()));
  child.stderr.on('data', (part: Buffer) => (errors = (errors + part.toString()).slice(-2000)));
  const code = await new Promise((done) => child.once('close', done));
  if (code !== 0) throw new Error(`${program} ${args[0] ?? ''}: ${errors}`);
  return text;
}

process.env['OMP_NUM_THREADS'] = '1';
for (const subject of SUBJECTS) await measure(subject);
