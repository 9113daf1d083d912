import { readFileSync, statSync } from 'node:fs';
import type { Dataset, Sample } from './dataset-folder.ts';
import { fileIn } from './job-file.ts';
import { decodePng } from './png.ts';
import { sha256Hex } from './stored-files.ts';

export interface DatasetProblem {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly hint?: string;
  readonly path?: string;
}

const MOST = 200;

/**
 * Everything that is wrong with an imagefolder, at most 200 entries, worst first. `pause` is awaited between pictures so that a stop gets
 * through.
 */
export async function checkDataset(dataset: Dataset, pause: () => Promise<void>): Promise<DatasetProblem[]> {
  const problems: DatasetProblem[] = [];
  const seen = new Map<string, { split: string; path: string }>();
  for (const split of ['train', 'val']) {
    if (!dataset.splits.has(split)) problems.push(missingSplit(split));
  }
  for (const [split, samples] of dataset.splits) {
    if (samples.length === 0) problems.push(emptySplit(split));
    const listed = new Set<string>();
    for (const [at, sample] of samples.entries()) {
      if (at % 32 === 0) await pause();
      if (listed.has(sample.path)) problems.push(duplicateRow(split, sample));
      listed.add(sample.path);
      if (sample.label < 0) problems.push(strangeFolder(sample));
      problems.push(...checkPicture(dataset.folder, split, sample, seen));
    }
    if (samples.length > 0) problems.push(...absentClasses(dataset, split, samples));
  }
  const errors = problems.filter((problem) => problem.severity === 'error');
  return [...errors, ...problems.filter((problem) => problem.severity === 'warning')].slice(0, MOST);
}

function checkPicture(
  folder: string,
  split: string,
  { path }: Sample,
  seen: Map<string, { split: string; path: string }>,
): DatasetProblem[] {
  const file = fileIn(folder, path);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    const message = `The picture ${path} of split "${split}" is listed but missing.`;
    return [
      { code: 'dataset.missing', severity: 'error', message, hint: `Add ${path} or take it off the list.`, path },
    ];
  }
  const bytes = readFileSync(file);
  const problems: DatasetProblem[] = [];
  try {
    decodePng(bytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `The picture ${path} cannot be read. ${why}`;
    problems.push({
      code: 'dataset.corrupt_image',
      severity: 'error',
      message,
      hint: `Replace or remove ${path}.`,
      path,
    });
  }
  const digest = sha256Hex(bytes);
  const twin = seen.get(digest);
  if (twin === undefined) seen.set(digest, { split, path });
  else if (twin.split !== split) {
    const message = `The picture ${path} of split "${split}" is also in split "${twin.split}" as ${twin.path}.`;
    problems.push({
      code: 'dataset.split_overlap',
      severity: 'error',
      message,
      hint: `Keep ${path} in one split only.`,
      path,
    });
  }
  return problems;
}

function absentClasses(dataset: Dataset, split: string, samples: readonly Sample[]): DatasetProblem[] {
  if (split !== 'train' && split !== 'val') return [];
  const present = new Set(samples.map((sample) => sample.label));
  return dataset.classes
    .filter((item) => !present.has(item.index))
    .map((item) =>
      split === 'train'
        ? {
            code: 'dataset.class_mismatch',
            severity: 'error' as const,
            message: `The class "${item.name}" has no picture in train.`,
            hint: `Add pictures to train/${item.dir} or remove the class.`,
            path: `train/${item.dir}`,
          }
        : {
            code: 'class_missing_in_val',
            severity: 'warning' as const,
            message: `The class "${item.name}" has no picture in val, so nothing can be said about it.`,
            hint: `Move some pictures to val/${item.dir}.`,
            path: `val/${item.dir}`,
          },
    );
}

function missingSplit(split: string): DatasetProblem {
  const message = `dataset.json has no split "${split}".`;
  return {
    code: 'dataset.empty_split',
    severity: 'error',
    message,
    hint: `Add the split "${split}" to dataset.json.`,
    path: 'dataset.json',
  };
}

function emptySplit(split: string): DatasetProblem {
  const message = `The split "${split}" holds no picture.`;
  return { code: 'dataset.empty_split', severity: 'error', message, hint: `Add pictures to ${split}.`, path: split };
}

function duplicateRow(split: string, { path }: Sample): DatasetProblem {
  const message = `The picture ${path} is listed twice in split "${split}".`;
  return { code: 'dataset.format', severity: 'error', message, hint: `Remove one of the lines with ${path}.`, path };
}

function strangeFolder({ path }: Sample): DatasetProblem {
  const message = `The folder of ${path} belongs to no class of dataset.json.`;
  return {
    code: 'dataset.class_mismatch',
    severity: 'error',
    message,
    hint: `Move ${path} or add its folder to "classes".`,
    path,
  };
}
