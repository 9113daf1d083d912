/** An upload that brings its own dataset.json: nothing is guessed and nothing is moved. */
import { Check, Errors } from 'typebox/value';
import { DatasetFile } from '../dataset-file.ts';
import { isDatasetFormat } from '../formats/format-table.ts';
import type { Note } from '../reading.ts';
import { draftFile } from './draft-file.ts';
import { AS_UPLOADED, plainName, type Recognised, type UploadedFiles, type UploadPlan } from './upload-plan.ts';

const OURS = new Set(['dataset.json', 'conversion.json', 'view.json']);

/** Null when it is no dataset.json of ours; other tools have files of that name too. */
export async function planWritten(
  files: UploadedFiles,
  stated: Partial<Pick<Recognised, 'task' | 'format'>>,
  name: string,
): Promise<UploadPlan | null> {
  const text = files.paths.includes('dataset.json') ? await files.text('dataset.json') : null;
  if (text === null || !/"schema"\s*:\s*"dataset@1"/.test(text)) return null;
  const notes: Note[] = [];
  const file = parse(text, notes) ?? draftFile({ name: '', task: 'classify', format: 'imagefolder@1' });
  const inside = files.paths.filter((path) => !OURS.has(path));
  for (const [split, { images, annotations, list }] of Object.entries(file.splits))
    for (const path of [images, annotations ?? images, list])
      if (path.startsWith('/') || path.includes('\\') || path.split('/').includes('..')) {
        notes.push(
          wrong(`/splits/${split}`, `The path ${path} leaves the dataset.`, 'Write paths relative to dataset.json.'),
        );
        Reflect.deleteProperty(file.splits, split);
      }
  return {
    file: {
      ...file,
      name: name === '' ? file.name : name,
      task: stated.task ?? file.task,
      format: stated.format ?? file.format,
      digest: '',
      snapshot: '',
      classes: file.classes.map((entry) => ({ ...entry, name: plainName(entry.name) })),
    },
    because: 'dataset.json says so',
    from: new Map(inside.map((path) => [path, path])),
    made: new Map(),
    words: new Map(files.paths.map((path) => [path, `${files.root}${path}`])),
    ...AS_UPLOADED,
    method: 'given',
    notes,
    ignored: [],
  };
}

function wrong(pointer: string, message: string, fix: string): Note {
  return { check: 'dataset-file-invalid', file: 'dataset.json', pointer, message, fix };
}

function parse(text: string, notes: Note[]): DatasetFile | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    notes.push(wrong('', 'dataset.json is not JSON.', 'Write it again.'));
    return null;
  }
  if (!Check(DatasetFile, value)) {
    for (const error of Errors(DatasetFile, value).slice(0, 10))
      notes.push(
        wrong(
          error.instancePath,
          `${error.instancePath || 'dataset.json'} ${error.message}.`,
          'See contract 6.1 for its fields.',
        ),
      );
    return null;
  }
  if (!isDatasetFormat(value.format)) {
    notes.push(wrong('/format', `The format ${value.format} is not known.`, 'Use one of the seven formats.'));
    return null;
  }
  return value;
}
