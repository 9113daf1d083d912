/** imagefolder@1 from an upload. */
import { readImageFolder } from '../imagefolder.ts';
import type { Note } from '../reading.ts';
import { addTo, draftFile, listsOf } from './draft-file.ts';
import { placeInSplits, UniqueStems } from './split-words.ts';
import { AS_UPLOADED, plainName, type Recognised, type UploadedFiles, type UploadPlan } from './upload-plan.ts';

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
  const classes = names.map((entry, index) => ({ index, name: plainName(entry), dir: entry }));
  const file = draftFile({ name, task: 'classify', format: 'imagefolder@1' }, { classes });
  const made = listsOf(lists, file, (split) => ({ images: split }));
  const words = new Map([...from].map(([path, source]) => [path, `${files.root}${source}`]));
  const ignored = reading.ignored.filter((path) => !/(^|\/)(classes|obj|labels)\.(txt|names)$|\.ya?ml$/.test(path));
  return { ...AS_UPLOADED, file, because: guess.because, from, made, words, method, notes, ignored };
}

/** The list's own order where there is one that names every folder, never the order of folders. */
function orderOf(listed: readonly string[] | null, folders: readonly string[]): readonly string[] {
  if (listed === null) return folders;
  const known = new Set(listed);
  return folders.every((folder) => known.has(folder)) ? listed : folders;
}
