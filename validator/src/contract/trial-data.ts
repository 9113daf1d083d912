import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { annotationOf, linesOf, listed, withList, type TestData } from '../data/test-data.ts';

/** The pictures of val in one folder, for predict; names are kept. */
export async function writePictures(data: TestData, folder: string, most = Infinity): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const path of listed(data, 'val').slice(0, most)) {
    const bytes = data.files.get(path);
    if (bytes !== undefined) await writeFile(join(folder, path.replaceAll('/', '_')), bytes);
  }
  return folder;
}

/** Objects of each class in a split, as the annotations say; null for formats whose files are not read here. */
export function classCounts(data: TestData, split: string): readonly number[] | null {
  const counts = data.file.classes.map(() => 0);
  const add = (index: number): void => {
    counts[index] = (counts[index] ?? 0) + 1;
  };
  const { format } = data.file;
  if (format !== 'imagefolder@1' && !format.startsWith('yolo-')) return null;
  for (const path of listed(data, split)) {
    if (format === 'imagefolder@1') add(data.file.classes.findIndex(({ dir }) => path.split('/').at(-2) === dir));
    else
      for (const row of linesOf(data.files.get(annotationOf(data, path)) ?? new Uint8Array()))
        add(Number(row.split(' ')[0]));
  }
  return counts;
}

/** Val without its rarest class, when pictures can be left out for that; null where every picture has it or there is one class only. */
export function withoutClass(data: TestData): TestData | null {
  const counts = classCounts(data, 'val');
  if (counts === null || data.file.classes.length < 2) return null;
  const candidates = counts.map((count, index) => ({ count, index })).sort((a, b) => a.count - b.count);
  for (const { index } of candidates) {
    const kept = listed(data, 'val').filter((path) => !hasClass(data, path, index));
    if (kept.length > 0) return withList(data, 'val', kept);
  }
  return null;
}

function hasClass(data: TestData, path: string, index: number): boolean {
  if (data.file.format === 'imagefolder@1') return path.split('/').at(-2) === data.file.classes[index]?.dir;
  const rows = linesOf(data.files.get(annotationOf(data, path)) ?? new Uint8Array());
  return rows.some((row) => Number(row.split(' ')[0]) === index);
}
