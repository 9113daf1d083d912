import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatasetError } from './errors.ts';
import { fileIn } from './job-file.ts';
import { isObject, listAt, numberAt, objectAt, textAt, type JsonObject } from './json-value.ts';

export interface DatasetClass {
  readonly index: number;
  readonly name: string;
  readonly dir: string;
}

/** One picture of a split: path relative to the dataset folder; label -1 when its folder belongs to no class. */
export interface Sample {
  readonly path: string;
  readonly label: number;
}

/** An imagefolder@1 view: class order from dataset.json, samples in the order of the split lists. */
export interface Dataset {
  readonly folder: string;
  readonly task: string;
  readonly classes: readonly DatasetClass[];
  /** Splits that dataset.json names, each with its samples; a list that is absent gives the files found on disk, sorted. */
  readonly splits: ReadonlyMap<string, readonly Sample[]>;
}

const PICTURE = /\.(png|jpe?g|webp|bmp)$/i;

/** Reads lists, not pictures. Throws DatasetError when dataset.json itself cannot be used. */
export function readDataset(folder: string): Dataset {
  const path = join(folder, 'dataset.json');
  if (!existsSync(path)) {
    throw new DatasetError('The dataset has no dataset.json.', {
      code: 'dataset.missing',
      hint: 'dataset.json must lie in the dataset folder.',
    });
  }
  const value = parseJson(path);
  if (textAt(value, 'format') !== 'imagefolder@1') {
    throw new DatasetError(`The dataset is of format "${textAt(value, 'format') ?? ''}".`, {
      hint: 'This trainer reads imagefolder@1.',
    });
  }
  const classes = readClasses(value);
  const splits = new Map<string, readonly Sample[]>();
  for (const [split, entry] of Object.entries(objectAt(value, 'splits') ?? {})) {
    if (!isObject(entry))
      throw new DatasetError(`The split "${split}" is not an object.`, { hint: 'See dataset.json, key "splits".' });
    splits.set(split, readSplit(folder, split, entry, classes));
  }
  return { folder, task: textAt(value, 'task') ?? '', classes, splits };
}

function parseJson(path: string): unknown {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return value;
  } catch (cause) {
    throw new DatasetError('dataset.json is not JSON.', { hint: 'Export the dataset again.', cause });
  }
}

function readClasses(value: unknown): DatasetClass[] {
  const classes = listAt(value, 'classes').map((item, position) => {
    const name = textAt(item, 'name') ?? '';
    return { index: numberAt(item, 'index') ?? position, name, dir: textAt(item, 'dir') ?? name };
  });
  classes.sort((a, b) => a.index - b.index);
  const gap = classes.findIndex((item, position) => item.index !== position || item.name === '');
  const names = new Set(classes.map((item) => item.name.normalize('NFC')));
  if (classes.length === 0 || gap >= 0 || names.size !== classes.length) {
    throw new DatasetError('The classes of dataset.json are not numbered 0, 1, 2 … with a name each.', {
      code: 'dataset.class_mismatch',
      hint: 'See dataset.json, key "classes": indexes without gaps, names unique.',
    });
  }
  return classes;
}

function readSplit(folder: string, split: string, entry: JsonObject, classes: readonly DatasetClass[]): Sample[] {
  const list = textAt(entry, 'list');
  const byFolder = new Map(classes.map((item) => [item.dir, item.index]));
  const toSample = (path: string): Sample => ({ path, label: byFolder.get(path.split('/').at(-2) ?? '') ?? -1 });
  if (list !== null) {
    const file = fileIn(folder, list);
    if (!existsSync(file)) {
      throw new DatasetError(`The list ${list} of split "${split}" is missing.`, {
        code: 'dataset.missing',
        hint: `Put ${list} into the dataset.`,
      });
    }
    return readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .map(toSample);
  }
  const root = textAt(entry, 'images') ?? split;
  const found: Sample[] = [];
  for (const item of classes) {
    const at = fileIn(folder, `${root}/${item.dir}`);
    if (!statSync(at, { throwIfNoEntry: false })?.isDirectory()) continue;
    const names = readdirSync(at)
      .filter((name) => PICTURE.test(name))
      .sort();
    found.push(...names.map((name) => ({ path: `${root}/${item.dir}/${name}`, label: item.index })));
  }
  return found;
}

/** Pictures below a folder of predict, sorted, relative to it. */
export function listPictures(folder: string, prefix = ''): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(folder, prefix), { withFileTypes: true })) {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) found.push(...listPictures(folder, path));
    else if (entry.isFile() && PICTURE.test(entry.name)) found.push(path);
  }
  return found.sort();
}
