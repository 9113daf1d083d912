/** coco@1 from an upload: one file of annotations by split, whatever they are called and wherever the pictures lie. */
import { parseCoco, textOf, type CocoFile, type Entry } from '../formats/coco-file.ts';
import { pointsOfCategories } from './coco-points.ts';
import { imageTypeOf } from '../image-sniff.ts';
import type { SplitName } from '../imagefolder.ts';
import { lineOfEntry } from '../json-line.ts';
import type { Note } from '../reading.ts';
import { addTo, draftFile, listsOf } from './draft-file.ts';
import { placeInSplits, splitOfFile, splitOfPath, UniqueStems } from './split-words.ts';
import { plainName, type Origin, type Recognised, type UploadedFiles, type UploadPlan } from './upload-plan.ts';

interface Annotations {
  readonly path: string;
  readonly coco: CocoFile;
  readonly split: SplitName | null;
}
interface Placed {
  readonly of: Annotations;
  readonly at: number;
  readonly entry: Entry;
  readonly source: string | null;
  readonly name: string;
}
type Kept = Readonly<Record<'images' | 'annotations' | 'categories', readonly number[]>>;

export async function planCoco(files: UploadedFiles, guess: Recognised, name: string): Promise<UploadPlan> {
  const { chosen, notes, left } = await chooseFiles(files, guess.task);
  const categories = chosen.flatMap((one) => one.coco.categories);
  const { names, unused } = classNames(chosen, notes, files.root);
  const pictures = new Pictures(files.paths);
  const items = await Promise.all(
    chosen.flatMap((of) => {
      const first = firstClasses(of.coco);
      return of.coco.images.map(async (entry, at) => {
        const fileName = textOf(entry['file_name']) ?? '';
        const source = pictures.find(fileName, of.split);
        const digest = source === null ? null : await files.digest(source);
        return {
          of,
          at,
          entry,
          source,
          name: fileName,
          path: fileName,
          split: of.split,
          class: first.get(entry['id']) ?? '',
          digest,
        };
      });
    }),
  );
  const { splits, method } = placeInSplits(items);
  const bySplit = Map.groupBy(items, (_, at) => splits[at] ?? 'train');
  const [from, words, named] = [new Map<string, string>(), new Map<string, string>(), new Map<string, Origin>()];
  const [lists, made, kept] = [
    new Map<string, string[]>(),
    new Map<string, string>(),
    new Map<string, { of: Annotations; kept: Kept }>(),
  ];
  for (const [split, group] of bySplit) {
    const placed = place(split, group);
    for (const { path, item } of placed) {
      addTo(lists, split, path);
      if (item.source !== null) from.set(path, item.source);
      words.set(path, item.source === null ? item.name : `${files.root}${item.source}`);
      if (item.source === null)
        named.set(path, { file: `${files.root}${item.of.path}`, pointer: `/images/${item.at}` });
    }
    const path = `annotations/${split}.json`;
    const of = group[0]?.of;
    if (of === undefined) continue;
    words.set(path, `${files.root}${of.path}`);
    const whole = group.length === of.coco.images.length && group.every((item) => item.of === of);
    const same = placed.every(({ path: at, item }) => at === `images/${split}/${item.name}`);
    if (whole && same && unused.size === 0) {
      from.set(path, of.path);
      continue;
    }
    const divided = divide(
      of.coco,
      placed.map(({ path: at, item }) => ({ at: item.at, name: at.slice(`images/${split}/`.length) })),
      unused,
      whole,
    );
    made.set(path, divided.text);
    kept.set(path, { of, kept: divided.kept });
  }
  const { task } = guess;
  const file = draftFile(
    { name, task, format: 'coco@1' },
    {
      classes: names.map((entry, index) => ({ index, name: entry })),
      ...(task === 'pose' ? { keypoints: pointsOfCategories(categories) } : {}),
    },
  );
  const listed = listsOf(lists, file, (split) => ({
    images: `images/${split}`,
    annotations: `annotations/${split}.json`,
  }));
  for (const [path, text] of listed) made.set(path, text);
  const used = new Set([...from.values(), ...chosen.map((one) => one.path)]);
  return {
    file,
    because: guess.because,
    from,
    made,
    words,
    named: await withLines(files, named),
    origin: async (path, pointer) => {
      const known = kept.get(path);
      const [, list, index] = /^\/(images|annotations|categories)\/(\d+)$/.exec(pointer) ?? [];
      if (known === undefined || (list !== 'images' && list !== 'annotations' && list !== 'categories')) return null;
      const at = known.kept[list][Number(index)] ?? 0;
      const text = (await files.text(known.of.path)) ?? '';
      return { file: `${files.root}${known.of.path}`, line: lineOfEntry(text, list, at), pointer: `/${list}/${at}` };
    },
    method,
    notes,
    ignored: [...left, ...files.paths.filter((path) => imageTypeOf(path) !== null && !used.has(path))],
  };
}

async function withLines(files: UploadedFiles, named: ReadonlyMap<string, Origin>): Promise<Map<string, Origin>> {
  const out = new Map<string, Origin>();
  let [path, text] = ['', ''];
  for (const [image, origin] of named) {
    if (out.size < 200 && path !== origin.file) {
      path = origin.file;
      text = (await files.text(path.slice(files.root.length))) ?? '';
    }
    const at = Number(origin.pointer?.split('/').at(-1) ?? 0);
    out.set(image, out.size < 200 ? { ...origin, line: lineOfEntry(text, 'images', at) } : origin);
  }
  return out;
}

/** One file for each split; among several, the one that is about the task. */
async function chooseFiles(files: UploadedFiles, task: string) {
  const all: Annotations[] = [];
  const notes: Note[] = [];
  for (const path of files.paths.filter((one) => one.endsWith('.json'))) {
    const text = (await files.text(path)) ?? '';
    if (!/"images"\s*:/.test(text) || !/"(annotations|categories)"\s*:/.test(text)) continue;
    const coco = parseCoco(text);
    if (coco !== null) all.push({ path, coco, split: splitOfFile(path) });
    else if (/"annotations"\s*:/.test(text) && !isJson(text))
      notes.push({
        check: 'dataset-annotation-unreadable',
        file: `${files.root}${path}`,
        message: `${files.root}${path} is not a whole COCO file.`,
        fix: 'Write a JSON file with images, annotations and categories.',
      });
  }
  const score = ({ path, coco }: Annotations): number =>
    Number(/instances/i.test(path) === (task !== 'pose')) +
    Number(/keypoints/i.test(path) === (task === 'pose')) +
    Number(coco.annotations.length > 0);
  const hasSplits = all.some(({ split }) => split !== null);
  const chosen: Annotations[] = [];
  for (const split of hasSplits ? (['train', 'val', 'test'] as const) : [null]) {
    const best = all.filter((one) => one.split === split).sort((a, b) => score(b) - score(a))[0];
    if (best !== undefined) chosen.push(best);
  }
  if (chosen.length === 0 && notes.length === 0)
    notes.push({
      check: 'dataset-annotation-unreadable',
      file: files.root,
      message: 'There is no COCO file in the upload.',
      fix: 'Add annotations/train.json and annotations/val.json with images, annotations and categories.',
    });
  return { chosen, notes, left: all.filter((one) => !chosen.includes(one)).map(({ path }) => path) };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** In the order of the ids of the first file, train. What no annotation uses is no class: exporters add such a parent. */
function classNames(chosen: readonly Annotations[], notes: Note[], root: string) {
  const first = chosen[0];
  const used = new Set(chosen.flatMap((one) => usedNames(one.coco)));
  const entries = (first?.coco.categories ?? []).map((entry) => ({
    id: Number(entry['id']),
    name: plainName(textOf(entry['name']) ?? ''),
  }));
  const names = [...new Set(entries.sort((a, b) => a.id - b.id).map(({ name }) => name))].filter((name) =>
    used.has(name),
  );
  const listed = new Set(
    chosen.flatMap((one) => one.coco.categories.map((entry) => plainName(textOf(entry['name']) ?? ''))),
  );
  const unused = new Set([...listed].filter((name) => !used.has(name)));
  if (unused.size > 0 && first !== undefined)
    notes.push({
      check: 'dataset-class-absent',
      severity: 'warning',
      file: `${root}${first.path}`,
      message: `No annotation has the category ${[...unused].join(', ')}; it is left out.`,
      fix: 'Label pictures with it if it is meant.',
    });
  return { names, unused };
}

function usedNames(coco: CocoFile): string[] {
  const ids = new Set(coco.annotations.map((entry) => entry['category_id']));
  return coco.categories.flatMap((entry) => (ids.has(entry['id']) ? [plainName(textOf(entry['name']) ?? '')] : []));
}

function firstClasses(coco: CocoFile): Map<unknown, string> {
  const first = new Map<unknown, string>();
  for (const entry of coco.annotations)
    if (!first.has(entry['image_id'])) first.set(entry['image_id'], String(entry['category_id']));
  return first;
}

/** Finds the picture that a file name means, wherever the archive has it. */
class Pictures {
  readonly #byName = new Map<string, string[]>();

  constructor(paths: readonly string[]) {
    for (const path of paths.filter((one) => imageTypeOf(one) !== null)) {
      const name = path.split('/').at(-1) ?? '';
      addTo(this.#byName, name, path);
    }
  }

  find(fileName: string, split: SplitName | null): string | null {
    const wanted = fileName.normalize('NFC').replaceAll('\\', '/');
    const same = this.#byName.get(wanted.split('/').at(-1) ?? '') ?? [];
    const score = (path: string): number =>
      2 * Number(path === wanted || path.endsWith(`/${wanted}`)) + Number(splitOfPath(path) === split);
    return [...same].sort((a, b) => score(b) - score(a))[0] ?? null;
  }
}

/** File names stay what they are where they can; the text of the annotations is then kept byte for byte. */
function place(split: string, group: readonly Placed[]): { path: string; item: Placed }[] {
  const stems = new UniqueStems();
  const safe = new Set(group.map(({ name }) => name)).size === group.length && group.every(({ name }) => isSafe(name));
  return group.map((item) => ({
    path: `images/${split}/${safe ? item.name : stems.name(split, item.source ?? item.name)}`,
    item,
  }));
}

function isSafe(name: string): boolean {
  return (
    imageTypeOf(name) !== null &&
    !/^[/\\]|^[a-z]:|\\|\0|[\r\n]/i.test(name) &&
    name.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

/** The part of a COCO file that is about some of its pictures, one entry a line; nothing else in the entries changes. */
function divide(
  coco: CocoFile,
  images: readonly { at: number; name: string }[],
  unused: ReadonlySet<string>,
  whole: boolean,
): { text: string; kept: Kept } {
  const ids = new Set(images.map(({ at }) => coco.images[at]?.['id']));
  const kept: Kept = {
    images: images.map(({ at }) => at),
    // Annotations of no picture at all stay where everything stays, so that they are complained about.
    annotations: indices(coco.annotations, (entry) => whole || ids.has(entry['image_id'])),
    categories: indices(coco.categories, (entry) => !unused.has(plainName(textOf(entry['name']) ?? ''))),
  };
  const lists = {
    images: images.map(({ at, name }) => ({ ...coco.images[at], file_name: name })),
    annotations: kept.annotations.map((at) => coco.annotations[at]),
    categories: kept.categories.map((at) => coco.categories[at]),
  };
  const parts = Object.entries(lists).map(
    ([key, list]) => `"${key}":[\n${list.map((entry) => JSON.stringify(entry)).join(',\n')}\n]`,
  );
  return { text: `{${parts.join(',\n')}}\n`, kept };
}

function indices(list: readonly Entry[], keep: (entry: Entry) => boolean): number[] {
  return list.flatMap((entry, at) => (keep(entry) ? [at] : []));
}
