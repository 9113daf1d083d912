/** Formats with one file of labels beside each picture: the four of YOLO, and masks. */
import { imageTypeOf } from '../image-sniff.ts';
import { decodeMask } from '../index-png.ts';
import type { KeypointSpec } from '../labelled-item.ts';
import type { Note } from '../reading.ts';
import { addTo, draftFile, listsOf } from './draft-file.ts';
import { placeInSplits, splitOfPath, UniqueStems } from './split-words.ts';
import { AS_UPLOADED, plainName, type Recognised, type UploadedFiles, type UploadPlan } from './upload-plan.ts';

const NO_LABELS =
  /(^|\/)((classes|obj|labels|predefined_classes|notes|readme[^/]*|train|val|valid|test)\.(txt|names)|[^/]*\.cache)$/i;

export async function planBeside(files: UploadedFiles, guess: Recognised, name: string): Promise<UploadPlan> {
  const kind = guess.format === 'mask-png@1' ? { folder: 'masks', ending: 'png' } : { folder: 'labels', ending: 'txt' };
  const sides = new Sides(files, kind);
  const items = await Promise.all(
    sides.pictures.map(async (path) => {
      const label = sides.besides(path);
      return {
        path,
        label,
        split: splitOfPath(path),
        class: kind.ending === 'txt' && label !== null ? firstWord(await files.text(label)) : '',
        digest: await files.digest(path),
      };
    }),
  );
  const { splits, method } = placeInSplits(items);
  const stems = new UniqueStems();
  const [from, words, lists] = [new Map<string, string>(), new Map<string, string>(), new Map<string, string[]>()];
  items.forEach((item, at) => {
    const split = splits[at] ?? 'train';
    const image = `images/${split}/${stems.name(split, item.path)}`;
    const beside = `${image.replace(/^images/, kind.folder).replace(/\.[^./]+$/, '')}.${kind.ending}`;
    from.set(image, item.path);
    words.set(image, `${files.root}${item.path}`);
    if (item.label !== null) from.set(beside, item.label);
    words.set(beside, `${files.root}${item.label ?? sides.expected(item.path)}`);
    addTo(lists, split, image);
  });
  const notes = await orphans(files, sides, new Set(items.map((item) => item.label)));
  const names = guess.classes ?? (await namesFromLabels(files, items, kind.ending, notes));
  const { task, format } = guess;
  const file = draftFile(
    { name, task, format },
    {
      classes: names.map((entry, index) => ({ index, name: plainName(entry) })),
      ...(format === 'yolo-pose@1' ? { keypoints: await pointsOf(files, guess.keypoints ?? 0) } : {}),
    },
  );
  const made = listsOf(lists, file, (split) => ({ images: `images/${split}`, annotations: `${kind.folder}/${split}` }));
  const used = new Set(from.values());
  const ignored = files.paths.filter((path) => !used.has(path) && !NO_LABELS.test(path) && !/\.ya?ml$/.test(path));
  return { ...AS_UPLOADED, file, because: guess.because, from, made, words, method, notes, ignored };
}

/** Which label belongs to which picture. */
class Sides {
  readonly pictures: readonly string[];
  readonly labels: ReadonlySet<string>;
  readonly #byStem = new Map<string, string | null>();
  readonly #kind: { folder: string; ending: string };

  constructor(files: UploadedFiles, kind: { folder: string; ending: string }) {
    this.#kind = kind;
    const inside = (path: string): boolean => foldersOf(path).includes(kind.folder);
    const pictures = files.paths.filter((path) => imageTypeOf(path) !== null && !inside(path));
    const within = pictures.filter((path) => foldersOf(path).includes('images'));
    this.pictures = within.length > 0 ? within : pictures;
    const stems = new Set(this.pictures.map(stemOf));
    this.labels = new Set(
      files.paths.filter(
        (path) =>
          path.endsWith(`.${kind.ending}`) &&
          !NO_LABELS.test(path) &&
          (inside(path) || (kind.ending === 'txt' && stems.has(stemOf(path)))),
      ),
    );
    for (const path of this.labels) {
      const stem = stemOf(path).split('/').at(-1) ?? '';
      this.#byStem.set(stem, this.#byStem.has(stem) ? null : path);
    }
  }

  expected(picture: string): string {
    const parts = stemOf(picture).split('/');
    const at = parts.map((part) => part.toLowerCase()).lastIndexOf('images', parts.length - 2);
    if (at >= 0) parts[at] = this.#kind.folder;
    return `${parts.join('/')}.${this.#kind.ending}`;
  }

  besides(picture: string): string | null {
    for (const path of [this.expected(picture), `${stemOf(picture)}.${this.#kind.ending}`])
      if (this.labels.has(path)) return path;
    return this.#byStem.get(stemOf(picture).split('/').at(-1) ?? '') ?? null;
  }
}

function foldersOf(path: string): string[] {
  return path.toLowerCase().split('/').slice(0, -1);
}

function stemOf(path: string): string {
  return path.replace(/\.[^./]+$/, '');
}

function firstWord(text: string | null): string {
  return text?.trim().split(/\s+/)[0] ?? '';
}

async function orphans(files: UploadedFiles, sides: Sides, used: ReadonlySet<string | null>): Promise<Note[]> {
  const notes: Note[] = [];
  for (const path of sides.labels) {
    if (used.has(path)) continue;
    if (path.endsWith('.txt') && ((await files.text(path)) ?? '').trim() === '') continue;
    const message = `${files.root}${path} has labels, but its picture is missing.`;
    const fix = 'Add the picture, or take the labels out.';
    notes.push({ check: 'dataset-image-missing', file: `${files.root}${path}`, message, fix });
  }
  return notes;
}

/** Nobody named the classes: numbers become names, and the person is told. */
async function namesFromLabels(
  files: UploadedFiles,
  items: readonly { readonly label: string | null }[],
  ending: string,
  notes: Note[],
): Promise<string[]> {
  let most = -1;
  for (const { label } of items) {
    if (label === null) continue;
    if (ending === 'png') {
      const bytes = await files.bytes(label);
      try {
        if (bytes !== null) for (const value of decodeMask(bytes).data) if (value !== 255 && value > most) most = value;
      } catch {
        // The check says what is wrong with this mask.
      }
      continue;
    }
    for (const line of ((await files.text(label)) ?? '').split('\n')) {
      const index = Number(firstWord(line) || '-1');
      if (Number.isInteger(index) && index > most && index < 10_000) most = index;
    }
  }
  const message = 'No list names the classes; they are called class_0, class_1 and so on.';
  const fix = 'Add classes.txt with one name a line, or data.yaml with names.';
  notes.push({ check: 'dataset-file-invalid', severity: 'warning', file: 'classes.txt', message, fix });
  return Array.from({ length: most + 1 }, (_, index) => `class_${index}`);
}

/** data.yaml has the mirror of each point as flip_idx; names of points are rare. */
async function pointsOf(files: UploadedFiles, found: number): Promise<KeypointSpec> {
  let [count, flip, names]: [number, number[] | null, string[] | null] = [found, null, null];
  for (const yaml of files.paths.filter((path) => /\.ya?ml$/.test(path))) {
    const text = (await files.text(yaml)) ?? '';
    count = Number(/^kpt_shape:\s*\[?\s*-?\s*(\d+)/m.exec(text)?.[1] ?? count);
    const list = /^flip_idx:\s*\[([^\]]*)\]/m.exec(text)?.[1];
    if (list !== undefined) flip = list.split(',').map(Number);
    const words = /^(?:kpt_names|keypoint_names):\s*\[([^\]]*)\]/m.exec(text)?.[1];
    if (words !== undefined) names = words.split(',').map((word) => plainName(word.replaceAll(/['"]/g, '')));
  }
  return {
    names: names?.length === count ? names : Array.from({ length: count }, (_, at) => `point_${at + 1}`),
    flipIndex: isFlip(flip, count) ? flip : Array.from({ length: count }, (_, at) => at),
  };
}

function isFlip(flip: readonly number[] | null, count: number): flip is number[] {
  return flip !== null && flip.length === count && flip.every((at) => Number.isInteger(at) && at >= 0 && at < count);
}
