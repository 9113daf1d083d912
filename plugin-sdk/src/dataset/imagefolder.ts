/** Pure: what a list of paths means as folders of pictures (imagefolder@1). */
import { imageTypeOf } from './image-sniff.ts';

export type SplitName = 'train' | 'val' | 'test';
const SPLIT_WORDS: Readonly<Record<string, SplitName>> = {
  train: 'train',
  training: 'train',
  val: 'val',
  valid: 'val',
  validation: 'val',
  test: 'test',
  testing: 'test',
};

export interface FolderImage {
  /** Path in the upload. */
  readonly source: string;
  /** Split as given by the folders; null = to be assigned. */
  readonly split: SplitName | null;
  readonly class: string;
  readonly file: string;
}
export interface FolderReading {
  readonly images: readonly FolderImage[];
  /** Class names in natural order: 2 before 10. */
  readonly classes: readonly string[];
  readonly splitsGiven: boolean;
  /** Files that are no pictures and were left out. */
  readonly ignored: readonly string[];
  readonly problems: readonly { readonly path: string; readonly message: string; readonly fix: string }[];
}

function isNoise(path: string): boolean {
  return path.split('/').some((part) => part.startsWith('.') || part === '__MACOSX' || part === 'Thumbs.db');
}

/** The folder that everything lies in, as archives of a folder have it; null when there is none. */
function commonRoot(paths: readonly string[][]): string | null {
  const first = paths[0]?.[0];
  if (first === undefined || Object.hasOwn(SPLIT_WORDS, first.toLowerCase())) return null;
  return paths.every((parts) => parts[0] === first && parts.length > 2) ? first : null;
}

const LAYOUT_FIX =
  'Put pictures into one folder per class (cat/1.jpg), or into train/ and val/ with the class folders inside.';

export function readImageFolder(paths: readonly string[]): FolderReading {
  const seen = paths.filter((path) => !isNoise(path));
  const pictures = seen.filter((path) => imageTypeOf(path) !== null);
  const ignored = seen.filter((path) => imageTypeOf(path) === null);
  let parts = pictures.map((path) => path.normalize('NFC').split('/'));
  const root = commonRoot(parts);
  if (root !== null) parts = parts.map((path) => path.slice(1));
  const splitsGiven =
    parts.length > 0 &&
    parts.every((path) => Object.hasOwn(SPLIT_WORDS, (path[0] ?? '').toLowerCase()) && path.length >= 3);
  const problems: FolderReading['problems'][number][] = [];
  const images: FolderImage[] = [];
  parts.forEach((path, i) => {
    const source = pictures[i] ?? '';
    const inner = splitsGiven ? path.slice(1) : path;
    if (inner.length !== 2) {
      problems.push({
        path: source,
        message: inner.length < 2 ? 'lies in no class folder' : 'lies too deep',
        fix: LAYOUT_FIX,
      });
      return;
    }
    images.push({
      source,
      split: splitsGiven ? (SPLIT_WORDS[(path[0] ?? '').toLowerCase()] ?? null) : null,
      class: inner[0] ?? '',
      file: inner[1] ?? '',
    });
  });
  const classes = [...new Set(images.map((image) => image.class))].sort((a, b) =>
    a.localeCompare(b, 'en', { numeric: true }),
  );
  if (pictures.length === 0)
    problems.push({
      path: '',
      message: 'there is no picture in it',
      fix: `${LAYOUT_FIX} PNG, JPEG, WebP and BMP are read.`,
    });
  else if (classes.length < 2 && problems.length === 0)
    problems.push({ path: '', message: `there is only one class, ${classes[0]}`, fix: LAYOUT_FIX });
  return { images, classes, splitsGiven, ignored, problems };
}
