import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Compile } from 'typebox/compile';
import { DatasetFile } from '../dataset/dataset-file.ts';
import { sourceFromFolder } from '../dataset/dataset-source.ts';
import type { Item } from '../dataset/labelled-item.ts';
import { readItems } from '../dataset/read-dataset.ts';
import { DatasetError } from '../dataset/reading.ts';
import { TASKS, type TaskId } from '../vocabulary.ts';
import { Classification } from './classification.ts';
import { detectTask, obbTask, poseTask, segmentTask } from './object-tasks.ts';
import { PredictionsError } from './predictions-error.ts';
import { PredictionsFile } from './predictions-file.ts';
import type { PredictionLine } from './prediction-line.ts';
import type { RecomputedMetrics, TaskMetrics } from './recomputed.ts';
import { SemanticPixels } from './semantic.ts';

export interface RecomputeRequest {
  readonly task: string;
  /** Holds dataset.json. */
  readonly dataset: { readonly folder: string };
  readonly split: string;
  /** Path of predictions.jsonl; masks lie beside it. */
  readonly predictions: string;
  /** For precision, recall and f1 of objects; absent takes the score where F1 is best. */
  readonly threshold?: number;
  /** Of each class in each picture; default 100, as COCO has it. */
  readonly maxDetections?: number;
}

interface Collector {
  add(item: Item, prediction: PredictionLine, line: number): Promise<void> | void;
  result(): TaskMetrics;
}

const DATASET_FILE = Compile(DatasetFile);
const MOST_DETECTIONS = 100;

/**
 * The metrics of contract.md §7.1, computed from predictions.jsonl and the labels of a split, in whatever format the dataset is. The order of the
 * lines does not matter; each picture of the split has exactly one. Throws PredictionsError, with file and line.
 */
export async function recomputeMetrics(request: RecomputeRequest): Promise<RecomputedMetrics> {
  const { split } = request;
  const task = taskOf(request.task);
  const file = await readDatasetFile(request.dataset.folder);
  if (file.splits[split] === undefined)
    throw unreadable(
      'dataset.json',
      `The dataset has no split ${split}.`,
      `Use ${Object.keys(file.splits).join(', ')}.`,
    );
  const rules = { task, classes: file.classes.length, keypoints: file.keypoints?.names.length ?? 0 };
  const predictions = await PredictionsFile.open(request.predictions, rules);
  try {
    const collector = collectorFor(task, file, request, predictions);
    const images = new Set<string>();
    const source = sourceFromFolder(request.dataset.folder);
    for await (const item of readItems(source, file, { splits: [split] })) {
      images.add(item.image);
      const found = await predictions.read(item.image);
      if (found === null)
        throw new PredictionsError(
          'prediction-missing',
          { file: predictions.name },
          `There is no line for ${item.image}.`,
          `Write one line for each picture of ${file.splits[split].list}, an empty list when nothing was found.`,
        );
      checkSize(item, found.prediction, predictions.name, found.line);
      await collector.add(item, found.prediction, found.line);
    }
    const stranger = predictions.firstOutside(images);
    if (stranger !== null)
      throw new PredictionsError(
        'prediction-unknown-image',
        { file: predictions.name, line: stranger.line },
        `${stranger.image} is not a picture of the split ${split}.`,
        'Write the paths as the list of the split has them.',
      );
    const result = collector.result();
    const { primary } = TASKS[task];
    return {
      task,
      split,
      images: images.size,
      primary: { name: primary, value: result.metrics[primary] ?? 0 },
      ...result,
    };
  } catch (error) {
    if (!(error instanceof DatasetError)) throw error;
    const { where, message, fix } = error.finding;
    throw new PredictionsError('truth-unreadable', { ...where, file: where?.file ?? 'dataset.json' }, message, fix);
  } finally {
    await predictions.close();
  }
}

function collectorFor(
  task: TaskId,
  { classes, keypoints }: DatasetFile,
  { threshold, maxDetections = MOST_DETECTIONS }: RecomputeRequest,
  file: PredictionsFile,
): Collector {
  const names = [...classes].sort((a, b) => a.index - b.index).map(({ name }) => name);
  if (task === 'classify') {
    const scores = new Classification(names);
    return {
      add({ labels }, { classes: found }) {
        for (const label of labels) if (label.kind === 'class') scores.add(label.class, found);
      },
      result: () => scores.result(),
    };
  }
  if (task === 'semantic') {
    const pixels = new SemanticPixels(names);
    return {
      async add(item, prediction, line) {
        const found = await file.readMask(prediction.mask, line);
        const wrong = found.data.find((value) => value >= names.length);
        const problem =
          found.width !== item.width || found.height !== item.height
            ? `The mask ${prediction.mask} is ${found.width} × ${found.height} instead of ${item.width} × ${item.height}.`
            : wrong === undefined
              ? null
              : `The mask ${prediction.mask} holds ${wrong}, which is no class (0 to ${names.length - 1}).`;
        if (problem !== null)
          throw new PredictionsError(
            wrong === undefined ? 'prediction-mask' : 'prediction-class',
            { file: file.name, line },
            problem,
            'Write one class index per pixel, in the size of the picture.',
          );
        for (const label of item.labels) if (label.kind === 'mask') pixels.add(label.mask, found);
      },
      result: () => pixels.result(),
    };
  }
  const rules = { names, maxDetections, ...(threshold === undefined ? {} : { threshold }) };
  const objects =
    task === 'detect'
      ? detectTask(rules)
      : task === 'obb'
        ? obbTask(rules)
        : task === 'segment'
          ? segmentTask(rules)
          : poseTask(rules, keypoints?.names.length ?? 0, keypoints?.sigmas);
  return {
    add(item, { instances }, line) {
      try {
        objects.add(item, instances);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const fix = 'Write runs down the columns, background first, that fill the picture.';
        throw new PredictionsError('prediction-invalid', { file: file.name, line }, message, fix);
      }
    },
    result: () => objects.result(),
  };
}

function checkSize(item: Item, prediction: PredictionLine, file: string, line: number): void {
  if (prediction.width === item.width && prediction.height === item.height) return;
  throw new PredictionsError(
    'prediction-invalid',
    { file, line },
    `${item.image} is ${item.width} × ${item.height}, the line says ${prediction.width} × ${prediction.height}.`,
    'Write the size of the original picture.',
  );
}

function taskOf(task: string): TaskId {
  const known = Object.keys(TASKS).find((name): name is TaskId => name === task);
  if (known !== undefined) return known;
  throw unreadable('dataset.json', `The task ${task} is not known.`, `Use one of ${Object.keys(TASKS).join(', ')}.`);
}

async function readDatasetFile(folder: string): Promise<DatasetFile> {
  const text = await readFile(join(folder, 'dataset.json'), 'utf8').catch(() => null);
  let value: unknown = null;
  try {
    value = JSON.parse(text ?? '');
  } catch {
    // told below
  }
  if (DATASET_FILE.Check(value)) return value;
  throw unreadable(
    'dataset.json',
    text === null ? 'It is missing.' : 'It is not a dataset.json.',
    'Check the dataset.',
  );
}

function unreadable(file: string, message: string, fix: string): PredictionsError {
  return new PredictionsError('truth-unreadable', { file }, message, fix);
}
