/** Pure: dataset.json and view.json of a stored snapshot or of a view of it. */
import type { DatasetFile } from '@trainyard/plugin-sdk/dataset';

export interface StoredDataset {
  readonly digest: string;
  readonly format: string;
  readonly task: string;
  readonly classes: readonly {
    readonly index: number;
    readonly name: string;
    readonly dir?: string;
    readonly color?: string;
  }[];
  readonly keypoints: DatasetFile['keypoints'] | null;
  /** Null in snapshots of class folders made before other formats were known. */
  readonly layout: DatasetFile['splits'] | null;
  readonly splits: readonly { readonly name: string; readonly count: number }[];
}

/** In the snapshot, so that its digest covers what dataset.json says and the files do not. */
export const VIEW_FILE = 'view.json';

export function viewText(file: Pick<DatasetFile, 'task' | 'format' | 'classes' | 'keypoints'>): string {
  const { task, format, classes, keypoints } = file;
  return `${JSON.stringify({ task, format, classes, ...(keypoints === undefined ? {} : { keypoints }) }, null, 1)}\n`;
}

export function datasetFileOf(
  row: StoredDataset,
  more: { readonly name: string; readonly license: string | null; readonly snapshot: string },
): DatasetFile {
  return {
    schema: 'dataset@1',
    name: more.name,
    task: row.task,
    format: row.format,
    digest: row.digest,
    snapshot: more.snapshot,
    classes: row.classes.map(({ index, name, dir, color }) => ({
      index,
      name,
      ...(dir === undefined ? {} : { dir }),
      ...(color === undefined ? {} : { color }),
    })),
    ...(row.keypoints == null ? {} : { keypoints: row.keypoints }),
    splits:
      row.layout ??
      Object.fromEntries(
        row.splits.map(({ name, count }) => [name, { images: name, list: `${name}.txt`, count }] as const),
      ),
    ...(more.license === null ? {} : { license: more.license }),
  };
}
