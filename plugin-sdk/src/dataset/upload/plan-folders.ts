/** imagefolder@1 from an upload. */
import type { DatasetFile } from '../dataset-file.ts';
import { readImageFolder } from '../imagefolder.ts';
import type { Note } from '../reading.ts';
import { placeInSplits, UniqueStems } from './split-words.ts';
import { NO_ORIGIN, plainName, type Recognised, type UploadedFiles, type UploadPlan } from './upload-plan.ts';

export async function planFolders(files: UploadedFiles, guess: Recognised, name: string): Promise<UploadPlan> {
  const reading = readImageFolder(files.paths);
  const notes: Note[] = reading.problems.map(({ path, message, fix }) => ({
    check: 'dataset-file-invalid',
    file: path === '' ? '' : `${files.root}${path}`,
    message: path === '' ? `In the upload ${message}.` : `${path} ${message}.`,
    fix,
  }));
  const names = orderOf(guess.classes, reading.classes);
  const items = await Promise.all(
    reading.images.map(async (image) => ({
      image,
      path: `${image.class}/${image.file}`,
      split: reading.splitsGiven ? image.split : null,
      class: image.class,
      digest: await files.digest(image.source),
    })),
  );
  const { splits, method } = placeInSplits(items);
  const stems = new UniqueStems();
  const from = new Map<string, string>();
  const lists = new Map<string, string[]>();
  items.forEach(({ image }, at) => {
    const split = splits[at] ?? 'train';
    const folder = `${split}/${image.class}`;
    const path = `${folder}/${stems.name(folder, image.file)}`;
    from.set(path, image.source);
    addTo(lists, split, path);
  });
  const file: DatasetFile = {
    schema: 'dataset@1',
    name,
    task: 'classify',
    format: 'imagefolder@1',
    digest: '',
    snapshot: '',
    classes: names.map((entry, index) => ({ index, name: plainName(entry), dir: entry })),
    splits: {},
  };
  const made = listsOf(lists, file, (split) => ({ images: split }));
  const words = new Map([...from].map(([path, source]) => [path, `${files.root}${source}`]));
  return {
    file,
    because: guess.because,
    from,
    made,
    words,
    named: new Map(),
    origin: NO_ORIGIN,
    method,
    notes,
    ignored: reading.ignored.filter((path) => !/(^|\/)(classes|obj|labels)\.(txt|names)$|\.ya?ml$/.test(path)),
  };
}

/** The list's own order where there is one that names every folder, never the order of folders. */
function orderOf(listed: readonly string[] | null, folders: readonly string[]): readonly string[] {
  if (listed === null) return folders;
  const known = new Set(listed);
  return folders.every((folder) => known.has(folder)) ? listed : folders;
}

/** Writes the lists and the splits of dataset.json; sorted, so that the same files in another order are the same dataset. */
export function listsOf(
  lists: ReadonlyMap<string, readonly string[]>,
  file: DatasetFile,
  folders: (split: string) => { images: string; annotations?: string },
): Map<string, string> {
  const made = new Map<string, string>();
  for (const split of ['train', 'val', 'test']) {
    const paths = [...(lists.get(split) ?? [])].sort((a, b) => (a < b ? -1 : 1));
    if (paths.length === 0) continue;
    made.set(`${split}.txt`, paths.map((path) => `${path}\n`).join(''));
    file.splits[split] = { ...folders(split), list: `${split}.txt`, count: paths.length };
  }
  return made;
}

export function addTo(lists: Map<string, string[]>, key: string, path: string): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [path]);
  else list.push(path);
}
