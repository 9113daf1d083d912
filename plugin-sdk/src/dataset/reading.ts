/** What all readers share: the walk over a split's list, and how a finding is told. */
import type { Finding, Severity } from '../finding.ts';
import type { DatasetFile } from './dataset-file.ts';
import type { DatasetSource } from './dataset-source.ts';
import { imageSize } from './image-size.ts';
import { imageProblem } from './image-sniff.ts';
import type { Item } from './labelled-item.ts';

/** The problems of contract.md §6.3, and the two that keep a file from being read at all. */
export const DATASET_CHECKS = [
  'dataset-image-missing',
  'dataset-image-undecodable',
  'dataset-label-index',
  'dataset-coordinate-range',
  'dataset-number-finite',
  'dataset-column-count',
  'dataset-mixed-rows',
  'dataset-duplicate-row',
  'dataset-mask-value',
  'dataset-mask-size',
  'dataset-category-unknown',
  'dataset-class-absent',
  'dataset-split-empty',
  'dataset-split-overlap',
  'dataset-keypoint-count',
  'dataset-annotation-unreadable',
  'dataset-file-invalid',
] as const;
export type DatasetCheck = (typeof DATASET_CHECKS)[number];

export interface Note {
  readonly check: DatasetCheck;
  readonly file: string;
  readonly line?: number;
  readonly pointer?: string;
  readonly message: string;
  readonly fix: string;
  readonly evidence?: string;
  readonly severity?: Severity;
}
export type Report = (note: Note) => void;

export function findingOf(note: Note): Finding {
  return {
    check: note.check,
    severity: note.severity ?? 'error',
    where: {
      file: note.file,
      ...(note.line === undefined ? {} : { line: note.line }),
      ...(note.pointer === undefined ? {} : { pointer: note.pointer }),
    },
    message: note.message,
    ...(note.evidence === undefined ? {} : { evidence: note.evidence.slice(0, 200) }),
    fix: note.fix,
  };
}

/** A labelled picture cannot be read and nobody asked for a list of all problems. */
export class DatasetError extends Error {
  readonly finding: Finding;

  constructor(note: Note) {
    super(`${note.file}${note.line === undefined ? '' : `:${note.line}`}: ${note.message} ${note.fix}`);
    this.name = 'DatasetError';
    this.finding = findingOf(note);
  }
}

export function throwNote(note: Note): never {
  throw new DatasetError(note);
}

export interface Reading {
  readonly source: DatasetSource;
  readonly file: DatasetFile;
  /** Called for each problem as it is met; what it belongs to is left out of the items. */
  readonly report: Report;
}

/** Reads one split in the order of its list. One item is held at a time. */
export type ReadItems = (reading: Reading, split: string) => AsyncGenerator<Item>;

export async function readText(source: DatasetSource, path: string): Promise<string | null> {
  const bytes = await source.read(path);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

/** A header may claim any size, and masks of that size would be made. */
const LARGEST_AREA = 2 ** 28;

export interface ListedImage {
  readonly image: string;
  /** Line in the split's list. */
  readonly line: number;
  readonly width: number;
  readonly height: number;
}

export async function* listLines({ source, file, report }: Reading, split: string) {
  const list = file.splits[split]?.list;
  if (list === undefined) return;
  const text = await readText(source, list);
  if (text === null) {
    report({
      check: 'dataset-file-invalid',
      file: 'dataset.json',
      pointer: `/splits/${split}/list`,
      message: `The list ${list} of split ${split} is missing.`,
      fix: `Write the picture paths of the split into ${list}, one a line.`,
    });
    return;
  }
  const seen = new Set<string>();
  for (const [at, raw] of text.split('\n').entries()) {
    const image = raw.trim();
    if (image === '') continue;
    if (seen.has(image))
      report({
        check: 'dataset-duplicate-row',
        file: list,
        line: at + 1,
        message: `${image} is listed twice.`,
        fix: 'Keep one of the lines.',
      });
    else yield { image, list, line: at + 1 };
    seen.add(image);
  }
}

/** The pictures of a split that are there and whose header can be read. */
export async function* readListed(reading: Reading, split: string): AsyncGenerator<ListedImage> {
  const { source, report } = reading;
  for await (const { image, list, line } of listLines(reading, split)) {
    const ends = await source.ends(image);
    if (ends === null) {
      report({
        check: 'dataset-image-missing',
        file: list,
        line,
        message: `The picture ${image} is listed but missing.`,
        fix: `Add ${image} or take it off the list.`,
      });
      continue;
    }
    const size = imageSize(ends.head);
    const tooLarge = size !== null && size.width * size.height > LARGEST_AREA;
    const wrong = tooLarge ? 'is too large' : imageProblem(image, ends.head, ends.tail);
    if (wrong !== null || size === null) {
      report({
        check: 'dataset-image-undecodable',
        file: list,
        line,
        message: `The picture ${image} ${wrong ?? 'has no size in its header'}.`,
        fix: `Replace ${image} by a whole PNG, JPEG, WebP or BMP, or take it off the list.`,
      });
      continue;
    }
    yield { image, line, ...size };
  }
}

/** The file beside a picture: `images/train/a/x.jpg` → `labels/train/a/x.txt`. */
export function besidePath(file: DatasetFile, split: string, image: string, folder: string, ending: string): string {
  const { images, annotations } = file.splits[split] ?? {};
  const stem = image.replace(/\.[^./]+$/, '');
  if (images !== undefined && annotations !== undefined && stem.startsWith(`${images}/`))
    return `${annotations}${stem.slice(images.length)}.${ending}`;
  return `${stem.replace(/(^|\/)images\//, `$1${folder}/`)}.${ending}`;
}
