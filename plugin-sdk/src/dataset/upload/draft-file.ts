/** dataset.json of an upload while it is planned: digest and snapshot are not known yet. */
import type { DatasetFile } from '../dataset-file.ts';

export function draftFile(
  what: Pick<DatasetFile, 'name' | 'task' | 'format'>,
  more: Pick<DatasetFile, 'classes' | 'keypoints'> = { classes: [] },
): DatasetFile {
  const { name, task, format } = what;
  return { schema: 'dataset@1', name, task, format, digest: '', snapshot: '', ...more, splits: {} };
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
