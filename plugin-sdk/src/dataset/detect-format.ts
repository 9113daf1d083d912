/** Pure but for the samples it asks for: which of the seven formats is an upload, from its paths and the beginning of a few text files. */
import type { DatasetFormat, TaskId } from '../vocabulary.ts';
import { imageTypeOf } from './image-sniff.ts';
import { readImageFolder } from './imagefolder.ts';

export interface FormatGuess {
  readonly format: DatasetFormat;
  readonly task: TaskId;
  /** What it was recognised by, in words, to be shown. */
  readonly because: string;
  /** Class names as the upload gives them, in its order; null = it gives none. */
  readonly classes: readonly string[] | null;
  /** Pose only: points by the width of the rows or the categories. */
  readonly keypoints: number | null;
}
export type FormatResult = FormatGuess | { readonly format: null; readonly because: string; readonly fix: string };

/** The first bytes of a file as text; null when it is not there. 256 KiB are enough for rows, a whole COCO file is better. */
export type Sample = (path: string) => Promise<string | null>;

const LAYOUT =
  'Upload class folders (cat/1.jpg), YOLO (images/train, labels/train), COCO (annotations/train.json) or masks (images/train, masks/train).';
const SAMPLES = 40;

function folders(path: string): readonly string[] {
  return path.toLowerCase().split('/').slice(0, -1);
}

/** Other files may lie around; the strongest sign wins: dataset.json, COCO, label rows, masks, class folders. */
export async function detectFormat(paths: readonly string[], sample: Sample): Promise<FormatResult> {
  const files = paths.filter((path) => !path.split('/').some((part) => part.startsWith('.') || part === '__MACOSX'));
  const coco = await detectCoco(files, sample);
  if (coco !== null) return coco;
  const labels = files.filter((path) => path.endsWith('.txt') && folders(path).includes('labels'));
  if (labels.length > 0) return detectYolo(labels, files, sample);
  const masks = files.filter((path) => path.endsWith('.png') && folders(path).includes('masks'));
  const pictures = files.filter((path) => imageTypeOf(path) !== null && folders(path).includes('images'));
  if (masks.length > 0 && pictures.length > 0)
    return guess('mask-png@1', 'semantic', 'masks lie beside the pictures', await namesOf(files, sample));
  const reading = readImageFolder(files);
  if (reading.problems.length === 0) {
    const listed = new Set((await namesOf(files, sample)) ?? []);
    const names = reading.classes.every((name) => listed.has(name)) ? [...listed] : reading.classes;
    return guess('imagefolder@1', 'classify', 'pictures lie in class folders', names);
  }
  return { format: null, because: reading.problems[0]?.message ?? 'there is no picture in it', fix: LAYOUT };
}

function guess(
  format: DatasetFormat,
  task: TaskId,
  because: string,
  classes: readonly string[] | null,
  keypoints: number | null = null,
): FormatGuess {
  return { format, task, because, classes, keypoints };
}

async function detectCoco(files: readonly string[], sample: Sample): Promise<FormatGuess | null> {
  for (const path of files.filter((file) => file.endsWith('.json')).slice(0, SAMPLES)) {
    const text = await sample(path);
    if (text === null || !/"annotations"\s*:/.test(text) || !/"images"\s*:/.test(text)) continue;
    const points = /"keypoints"\s*:\s*\[([^\]]*)\]/.exec(textBetween(text, 'categories'))?.[1];
    const categories = namesInCategories(text);
    const where = `${path} is a COCO file`;
    if (points !== undefined && points.trim() !== '')
      return guess('coco@1', 'pose', `${where} with keypoints`, categories, points.split(',').length);
    return /"segmentation"\s*:\s*(\[\s*\[|\{)/.test(text)
      ? guess('coco@1', 'segment', `${where} with outlines`, categories)
      : guess('coco@1', 'detect', `${where} with boxes`, categories);
  }
  return null;
}

function textBetween(text: string, list: string): string {
  const start = text.indexOf(`"${list}"`);
  return start < 0 ? '' : text.slice(start);
}

/** In the order of their ids. Works on a cut text as long as the categories are in it. */
function namesInCategories(text: string): string[] | null {
  const start = text.search(/"categories"\s*:\s*\[/);
  if (start < 0) return null;
  const list = text.slice(text.indexOf('[', start));
  for (let end = list.indexOf(']'); end >= 0; end = list.indexOf(']', end + 1)) {
    try {
      const parsed: unknown = JSON.parse(list.slice(0, end + 1));
      if (!Array.isArray(parsed)) return null;
      const entries = parsed.flatMap((one: unknown) =>
        typeof one === 'object' && one !== null && 'name' in one && 'id' in one
          ? [[Number(one.id), String(one.name)] as const]
          : [],
      );
      return entries.sort((a, b) => a[0] - b[0]).map(([, name]) => name);
    } catch {
      // A list inside an entry ended here; on to the next bracket.
    }
  }
  return null;
}

async function detectYolo(labels: readonly string[], files: readonly string[], sample: Sample): Promise<FormatResult> {
  const widths = new Map<number, string>();
  for (const path of labels.slice(0, SAMPLES)) {
    const text = (await sample(path)) ?? '';
    // The last line of a sample may be cut.
    for (const line of text.split('\n').slice(0, 200)) {
      const columns = line.trim() === '' ? 0 : line.trim().split(/\s+/).length;
      if (columns > 0 && !widths.has(columns)) widths.set(columns, line.trim());
    }
  }
  const names = await namesOf(files, sample);
  const points = await pointsOf(files, sample);
  const [first = 0, ...others] = [...widths.keys()];
  if (first === 0) return { format: null, because: 'all label files are empty', fix: 'Label at least one picture.' };
  if (points !== null && others.length === 0 && first === 5 + 3 * points)
    return guess('yolo-pose@1', 'pose', `rows have a box and ${points} points`, names, points);
  if (others.length === 0 && first === 5) return guess('yolo-detect@1', 'detect', 'rows have five columns', names);
  if (others.length === 0 && looksLikePose(widths.get(first) ?? ''))
    return guess('yolo-pose@1', 'pose', `rows have a box and ${(first - 5) / 3} points`, names, (first - 5) / 3);
  if (others.length === 0 && first === 9) return guess('yolo-obb@1', 'obb', 'rows have four corners', names);
  if ([first, ...others].every((columns) => columns >= 7 && columns % 2 === 1))
    return guess('yolo-segment@1', 'segment', 'rows have outlines', names);
  return {
    format: null,
    because: `rows have ${[first, ...others].sort((a, b) => a - b).join(', ')} columns, which fit no one format`,
    fix: 'Use one kind of row in the whole dataset: boxes, outlines, points or corners.',
  };
}

/**
 * For an upload whose rows do not all fit: the format that most rows have, so that the check can name the others by line. Null when there are no
 * rows at all.
 */
export async function likelyFormat(paths: readonly string[], sample: Sample): Promise<FormatGuess | null> {
  const labels = paths.filter((path) => path.endsWith('.txt') && folders(path).includes('labels'));
  const counts = new Map<number, { rows: number; line: string }>();
  for (const path of labels.slice(0, SAMPLES))
    for (const line of ((await sample(path)) ?? '').split('\n').slice(0, 200)) {
      const columns = line.trim() === '' ? 0 : line.trim().split(/\s+/).length;
      if (columns === 0) continue;
      const known = counts.get(columns);
      if (known === undefined) counts.set(columns, { rows: 1, line: line.trim() });
      else known.rows += 1;
    }
  const names = await namesOf(paths, sample);
  const points = await pointsOf(paths, sample);
  const because = 'most rows look like it';
  if (labels.length === 0 || counts.size === 0) return null;
  if (points !== null) return guess('yolo-pose@1', 'pose', 'data.yaml has kpt_shape', names, points);
  const [[columns, { line }] = [0, { line: '' }]] = [...counts].sort((a, b) => b[1].rows - a[1].rows);
  if (columns > 5 && looksLikePose(line)) return guess('yolo-pose@1', 'pose', because, names, (columns - 5) / 3);
  if (columns === 9) return guess('yolo-obb@1', 'obb', because, names);
  return columns >= 7 && columns % 2 === 1
    ? guess('yolo-segment@1', 'segment', because, names)
    : guess('yolo-detect@1', 'detect', because, names);
}

/** Every third number after the box is 0, 1 or 2. */
function looksLikePose(line: string): boolean {
  const values = line.split(/\s+/).slice(5);
  return (
    values.length > 0 &&
    values.length % 3 === 0 &&
    values.every((value, i) => i % 3 !== 2 || /^[012](\.0*)?$/.test(value))
  );
}

/** data.yaml or classes.txt, as they lie beside YOLO labels. */
async function namesOf(files: readonly string[], sample: Sample): Promise<string[] | null> {
  const list = files.find((path) => /(^|\/)(classes|obj|labels)\.(txt|names)$/.test(path));
  for (const yaml of files.filter((path) => /\.ya?ml$/.test(path))) {
    const names = namesInYaml((await sample(yaml)) ?? '');
    if (names !== null) return names;
  }
  const text = list === undefined ? null : await sample(list);
  const names =
    text
      ?.split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '') ?? [];
  return names.length === 0 ? null : names;
}

async function pointsOf(files: readonly string[], sample: Sample): Promise<number | null> {
  for (const yaml of files.filter((path) => /\.ya?ml$/.test(path))) {
    const count = /^kpt_shape:\s*\[?\s*-?\s*(\d+)/m.exec((await sample(yaml)) ?? '')?.[1];
    if (count !== undefined) return Number(count);
  }
  return null;
}

function unquoted(text: string): string {
  return text.trim().replace(/^(['"])(.*)\1$/, '$2');
}

/** The three ways `names` is written: [a, b], a list of dashes, a map from number to name. */
function namesInYaml(text: string): string[] | null {
  const inline = /^names:\s*\[([^\]]*)\]/m.exec(text)?.[1];
  if (inline !== undefined)
    return inline
      .split(',')
      .map(unquoted)
      .filter((name) => name !== '');
  const block = /^names:[^\S\n]*(?:#.*)?\r?\n((?:[ \t]*(?:-|\d+:)[^\n]*\r?\n?)+)/m.exec(text)?.[1];
  if (block === undefined) return null;
  const entries = block.split('\n').flatMap((line, at) => {
    const found = /^\s*(?:-|(\d+):)\s*(.+?)\s*$/.exec(line);
    return found?.[2] === undefined
      ? []
      : [{ index: found[1] === undefined ? at : Number(found[1]), name: unquoted(found[2]) }];
  });
  return entries.sort((a, b) => a.index - b.index).map(({ name }) => name);
}
