import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { parseExportMetadata, type ExportMetadata } from '@trainyard/plugin-sdk/export';
import { recomputeMetrics } from '@trainyard/plugin-sdk/metrics';
import {
  checkExportFiles,
  checkWrappers,
  findLeaks,
  findPickles,
  predictWithExport,
  verifyExport,
  whyNotRunnable,
  type Checkers,
  type ExportCheck,
  type ExportFault,
} from '@trainyard/runner/verify';
import type { ExportClaim } from '@trainyard/plugin-sdk';
import type { AcceptanceTrials } from '../acceptance/acceptance-trials.ts';
import { writePictures } from '../contract/trial-data.ts';
import { listed } from '../data/test-data.ts';
import { compareAnswers, type ComparedAnswers } from './compare-answers.ts';
import { asRecord, parseJson } from '../trial/output-json.ts';
import { runTrial, type TrialPlan } from '../trial/run-trial.ts';
import type { TrialDeps } from '../trial/trial-deps.ts';
import { exitCodeOf, type Trial } from '../trial/trials.ts';

/** One export claim of one task in one precision, carried out and looked at. Checks read from it; null and empty: not done, and why. */
export interface ExportTrial {
  readonly task: string;
  readonly claim: ExportClaim;
  readonly precision: string;
  /** The run of the verb; null when the claim cannot be carried out here. */
  readonly trial: Trial | null;
  /** Why nothing could be done here: another device, another system. */
  readonly impossible: string | null;
  readonly faults: readonly ExportFault[];
  readonly metadata: ExportMetadata | null;
  readonly check: ExportCheck | null;
  readonly accuracy:
    { readonly checkpoint: number; readonly exported: number; readonly name: string } | { readonly reason: string };
  readonly predicted: ComparedAnswers;
  readonly bytes: number;
  readonly seconds: number;
  /** Side of the pictures that the training was asked for; null when it was not. */
  readonly side: number | null;
}

export interface ExportDeps extends TrialDeps {
  readonly checkers: Checkers | null;
}

const SECONDS = 240;
const MOST_PICTURES = 16;
/** So low that it leaves out nothing that counts for an average precision. */
const METRIC_THRESHOLD = 0.001;

export function claimsFor(trials: AcceptanceTrials): { claim: ExportClaim; precision: string }[] {
  const { subject } = trials;
  const { exports = [], models } = subject.manifest;
  const allowed = models.find(({ id }) => id === subject.model)?.exports;
  return exports
    .filter(({ tasks }) => tasks === undefined || tasks.includes(subject.task.id))
    .filter(({ models: only }) => only === undefined || only.includes(subject.model))
    .filter(({ format }) => allowed === undefined || allowed.includes(format))
    .flatMap((claim) => claim.precisions.map((precision) => ({ claim, precision })));
}

/** Exports, opens the result in another runtime, and lets both the checker and the trainer predict with it. */
export async function tryExport(
  deps: ExportDeps,
  trials: AcceptanceTrials,
  { claim, precision }: { claim: ExportClaim; precision: string },
  onTrial: (trial: Trial) => void,
): Promise<ExportTrial> {
  const begun = performance.now();
  const { subject, checkpoint, proofSettings } = trials;
  const side = typeof proofSettings['image_size'] === 'number' ? proofSettings['image_size'] : null;
  const none = { reason: 'nothing was exported' };
  const empty = {
    task: subject.task.id,
    claim,
    precision,
    faults: [],
    metadata: null,
    check: null,
    accuracy: none,
    predicted: none,
    bytes: 0,
    side,
  };
  const impossible = whyNotHere(claim) ?? (checkpoint === null ? 'There was no checkpoint to export.' : null);
  if (impossible !== null || checkpoint === null) return { ...empty, trial: null, impossible, seconds: 0 };
  const dynamic = claim.dynamic?.includes('batch') === true ? ['batch'] : [];
  const trial = await runTrial(deps, subject, {
    ...{ name: `export-${claim.format}-${precision}`, verb: 'export', checkpoint, settings: proofSettings },
    export: { format: claim.format, precision, dynamic, options: {} },
    maxSeconds: Math.ceil(SECONDS * trials.factor),
  });
  onTrial(trial);
  const seconds = (): number => Math.round((performance.now() - begun) / 100) / 10;
  if (exitCodeOf(trial) !== 0) return { ...empty, trial, impossible: null, seconds: seconds() };
  const folder = join(trial.jobFolder, 'output', 'export');
  const labels = trials.data.file.classes.map(({ name }) => name);
  const faults = [
    ...(await checkExportFiles(folder, labels)),
    ...(await findLeaks(folder, secretsOf(deps.root, trial.jobFolder))),
    ...(await findPickles(folder, claim.format)),
    ...(await checkWrappers(folder)),
  ];
  const { format } = claim;
  const { checkers, signal } = deps;
  const own = await checkpointAnswer(deps, trials, onTrial);
  const reference = own === null ? {} : { reference: referenceOf(own) };
  const check = await verifyExport({ exportFolder: folder, format, checkers, ...reference, signal });
  const parsed = parseExportMetadata(await readFile(join(folder, 'metadata.json'), 'utf8').catch(() => ''));
  return {
    ...empty,
    trial,
    impossible: null,
    faults,
    metadata: parsed.ok ? parsed.metadata : null,
    check,
    accuracy: check.state === 'refuted' ? none : await accuracyOf(deps, trials, folder, format, onTrial),
    predicted:
      check.state === 'refuted' ? none : await predictBoth(deps, trials, own, { folder, format, precision }, onTrial),
    bytes: await bytesOf(folder, parsed.ok ? parsed.metadata : null),
    seconds: seconds(),
  };
}

function whyNotHere({ format, needs }: ExportClaim): string | null {
  if (needs?.device === 'cuda' || format === 'tensorrt') return 'not run: no GPU';
  return needs?.os === 'macos' && process.platform !== 'darwin' ? 'needs macOS' : null;
}

/** What no exported file may hold. Names that everybody has tell nothing. */
function secretsOf(root: string, jobFolder: string): string[] {
  const { username } = userInfo();
  const common = ['root', 'user', 'admin', 'localhost', 'ubuntu', 'node', 'trainer'];
  const names = [username, hostname()].filter((name) => name.length > 4 && !common.includes(name));
  return [root, jobFolder, homedir() === '/' ? jobFolder : homedir(), 'parts-on-a-belt/', ...names].filter(
    (secret) => secret !== '/root',
  );
}

async function accuracyOf(
  deps: ExportDeps,
  trials: AcceptanceTrials,
  folder: string,
  format: string,
  onTrial: (trial: Trial) => void,
): Promise<ExportTrial['accuracy']> {
  const { checkers, signal, root } = deps;
  const { primary, subject, dataset, data } = trials;
  if (checkers === null) return { reason: 'the checkers are not prepared on this machine' };
  const output = join(root, `answers-${createHash('sha256').update(folder).digest('hex').slice(0, 8)}`);
  await mkdir(output, { recursive: true });
  try {
    const own = await checkpointMetric(deps, trials, onTrial);
    if (typeof own === 'string') return { reason: own };
    const wish = {
      exportFolder: folder,
      format,
      checkers,
      images: dataset.folder,
      list: listed(data, 'val'),
      output,
      signal,
    };
    const { predictions, reason } = await predictWithExport({ ...wish, threshold: METRIC_THRESHOLD });
    if (predictions === null) return { reason: reason ?? 'the checker could not predict with it' };
    const metrics = await recomputeMetrics({
      task: subject.task.id,
      dataset: { folder: dataset.folder },
      split: 'val',
      predictions,
    });
    return {
      name: primary.name,
      checkpoint: own,
      exported: metrics.metrics[primary.name] ?? 0,
    };
  } catch (error) {
    signal.throwIfAborted();
    return { reason: error instanceof Error ? error.message : String(error) };
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

const metrics = new WeakMap<AcceptanceTrials, Promise<number | string>>();

/** The primary metric of what the checkpoint predicts for all of val, once per task; or why there is none. */
function checkpointMetric(
  deps: ExportDeps,
  trials: AcceptanceTrials,
  onTrial: (trial: Trial) => void,
): Promise<number | string> {
  const known = metrics.get(trials) ?? measureCheckpoint(deps, trials, onTrial);
  metrics.set(trials, known);
  return known;
}

async function measureCheckpoint(
  deps: ExportDeps,
  trials: AcceptanceTrials,
  onTrial: (trial: Trial) => void,
): Promise<number | string> {
  const { subject, checkpoint, proofSettings, data, dataset, primary, factor, recomputed } = trials;
  if (!subject.manifest.capabilities.commands.includes('predict') || checkpoint === null)
    return recomputed === null || 'problem' in recomputed
      ? 'the checkpoint itself has no metric'
      : (recomputed.metrics[primary.name] ?? 0);
  const trial = await runTrial(deps, subject, {
    ...{ name: 'predict-val', verb: 'predict', checkpoint, settings: proofSettings, threshold: METRIC_THRESHOLD },
    pictures: await writePictures(data, join(deps.root, 'val-pictures')),
    maxSeconds: Math.ceil(SECONDS * factor),
  });
  onTrial(trial);
  if (exitCodeOf(trial) !== 0) return 'predict with the checkpoint failed';
  const found = await recomputeMetrics({
    task: subject.task.id,
    dataset: { folder: dataset.folder },
    split: 'val',
    predictions: await withDatasetNames(trial, listed(data, 'val')),
  });
  return found.metrics[primary.name] ?? 0;
}

/** predictions.jsonl with the names that the pictures have in the dataset; in their folder they have no folders. */
async function withDatasetNames(trial: Trial, paths: readonly string[]): Promise<string> {
  const output = join(trial.jobFolder, 'output');
  const names = new Map(paths.map((path) => [path.replaceAll('/', '_'), path]));
  const text = await readFile(join(output, 'predictions.jsonl'), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  const renamed = lines.map((line) => {
    const prediction = asRecord(parseJson(line));
    const name =
      String(prediction?.['image'] ?? '')
        .split('/')
        .at(-1) ?? '';
    return JSON.stringify({ ...prediction, image: names.get(name) ?? name });
  });
  const file = join(output, 'predictions-of-val.jsonl');
  await writeFile(file, `${renamed.join('\n')}\n`);
  return file;
}

/** The trainer's own predict, with the checkpoint and with the exported model. */
async function predictBoth(
  deps: ExportDeps,
  trials: AcceptanceTrials,
  own: Answer | null,
  exported: { readonly folder: string; readonly format: string; readonly precision: string },
  onTrial: (trial: Trial) => void,
): Promise<ExportTrial['predicted']> {
  const { folder, format, precision } = exported;
  if (own === null) return { reason: 'the trainer does not predict' };
  const nowhere = whyNotRunnable(format);
  if (nowhere !== null) return { reason: nowhere };
  const other = await runTrial(deps, trials.subject, {
    ...own.job,
    name: `predict-${format}-${precision}`,
    overrides: { checkpoint: null, modelArtifact: { path: 'input/model', format } },
    prepare: (jobFolder) => cp(folder, join(jobFolder, 'input', 'model'), { recursive: true }),
  });
  onTrial(other);
  return compareAnswers(trials.subject.task.id, own.trial, other, precision);
}

/** What the checkpoint predicts for a few pictures, and how it was asked. */
interface Answer {
  readonly trial: Trial;
  readonly job: Pick<TrialPlan, 'verb' | 'settings' | 'maxSeconds'> & { readonly pictures: string };
}

const answers = new WeakMap<AcceptanceTrials, Promise<Answer>>();

/** Once per task; null when the trainer does not predict. */
async function checkpointAnswer(
  deps: ExportDeps,
  trials: AcceptanceTrials,
  onTrial: (trial: Trial) => void,
): Promise<Answer | null> {
  const { checkpoint, subject, proofSettings, data, factor } = trials;
  if (checkpoint === null || !subject.manifest.capabilities.commands.includes('predict')) return null;
  const known = answers.get(trials);
  if (known !== undefined) return known;
  const asking = async (): Promise<Answer> => {
    const pictures = await writePictures(data, join(deps.root, 'predict-pictures'), MOST_PICTURES);
    const job = {
      ...{ verb: 'predict' as const, pictures, settings: proofSettings },
      maxSeconds: Math.ceil(SECONDS * factor),
    };
    const trial = await runTrial(deps, subject, { ...job, name: 'predict-checkpoint', checkpoint });
    onTrial(trial);
    return { trial, job };
  };
  const running = asking();
  answers.set(trials, running);
  return running;
}

/** Of predict and not of evaluate: a framework may judge batches that are padded otherwise than the model that is exported. */
function referenceOf({ trial, job }: Answer): { predictions: string; images: string; most: number } {
  return {
    predictions: join(trial.jobFolder, 'output', 'predictions.jsonl'),
    images: job.pictures,
    most: MOST_PICTURES,
  };
}

async function bytesOf(folder: string, metadata: ExportMetadata | null): Promise<number> {
  const listedBytes = metadata?.artifact.files.reduce((sum, file) => sum + file.bytes, 0);
  if (listedBytes !== undefined) return listedBytes;
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
