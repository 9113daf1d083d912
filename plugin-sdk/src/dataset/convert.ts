/** One dataset as another format (contract.md §6.4). Text only, except masks; class order never changes. */
import type { DatasetFormat, TaskId } from '../vocabulary.ts';
import type { DatasetFile } from './dataset-file.ts';
import type { DatasetSource } from './dataset-source.ts';
import { planClasses, type ClassPlan } from './class-plan.ts';
import { converterOf, type Lossy } from './convert-label.ts';
import { cropsOf } from './crops.ts';
import type { DatasetHeader, Item } from './labelled-item.ts';
import { readItems, writeItems } from './read-dataset.ts';
import { throwNote, type Report } from './reading.ts';
import type { DatasetSink } from './writing.ts';

export interface ConversionInfo {
  readonly from: { readonly task: string; readonly format: string };
  readonly to: { readonly task: TaskId; readonly format: DatasetFormat };
  readonly lossy: boolean;
  /** What was lost, in words, and how often. */
  readonly losses: Readonly<Record<string, number>>;
  /** Only `background`, for masks; the order of the others never changes. */
  readonly classes: { readonly added: readonly string[]; readonly removed: readonly string[] };
  readonly counts: {
    readonly images: number;
    readonly labelsRead: number;
    readonly labelsWritten: number;
    /** By class name. */
    readonly written: Readonly<Record<string, number>>;
  };
}

export interface ConvertOptions {
  readonly to: { readonly task: TaskId; readonly format: DatasetFormat };
  /** Problems of the source; without it the first one is thrown. */
  readonly report?: Report;
  readonly identity?: { readonly digest: string; readonly snapshot: string };
}

/**
 * Streams: one picture's labels at a time, COCO by split. Writes the dataset and conversion.json. The same input gives the same bytes. Throws
 * DatasetError when the table has no such way.
 */
export async function convertDataset(
  source: DatasetSource,
  file: DatasetFile,
  sink: DatasetSink,
  { to, report, identity }: ConvertOptions,
): Promise<{ file: DatasetFile; info: ConversionInfo }> {
  const way = converterOf(file, to);
  if (way === null && !isCrop(file, to))
    throwNote({
      check: 'dataset-file-invalid',
      file: 'dataset.json',
      pointer: '/format',
      message: `${file.format} for ${file.task} cannot become ${to.format} for ${to.task}.`,
      fix: 'Choose another trainer, or label the pictures for this task.',
    });
  const plan = way?.plan ?? planClasses(file.classes, 'same');
  const made = new Map<string, Uint8Array>();
  const losses = new Map<string, number>();
  const lose: Lossy = (what) => void losses.set(what, (losses.get(what) ?? 0) + 1);
  const written = new Map<number, number>();
  let [images, labelsRead, labelsWritten] = [0, 0, 0];
  async function resultsOf(item: Item): Promise<Item[]> {
    if (way !== null) return [{ ...item, labels: way.convert(item, lose) }];
    const crops = await cropsOf(source, item);
    for (const [image, bytes] of crops.pictures) made.set(image, bytes);
    lose('what lies around the boxes is cut off');
    return crops.items;
  }
  async function* converted(): AsyncGenerator<Item> {
    for await (const item of readItems(source, file, report === undefined ? {} : { report })) {
      labelsRead += item.labels.length;
      for (const result of await resultsOf(item)) {
        images += 1;
        labelsWritten += result.labels.length;
        for (const label of result.labels)
          if ('class' in label) written.set(label.class, (written.get(label.class) ?? 0) + 1);
        yield result;
      }
    }
  }
  const out = await writeItems(withMade(sink, made), headerOf(file, plan, to), converted(), identity);
  const info: ConversionInfo = {
    from: { task: file.task, format: file.format },
    to,
    lossy: losses.size > 0,
    losses: Object.fromEntries(losses),
    classes: { added: plan.added, removed: plan.removed },
    counts: {
      images,
      labelsRead,
      labelsWritten,
      written: Object.fromEntries(plan.classes.map(({ index, name }) => [name, written.get(index) ?? 0])),
    },
  };
  await sink.write('conversion.json', `${JSON.stringify(info, null, 2)}\n`);
  return { file: out, info };
}

/** Pictures that were made on the way are written, all others placed. */
function withMade(sink: DatasetSink, made: Map<string, Uint8Array>): DatasetSink {
  return {
    write: (path, bytes) => sink.write(path, bytes),
    place: async (path, from) => {
      const bytes = made.get(from);
      if (bytes === undefined) return sink.place(path, from);
      made.delete(from);
      return sink.write(path, bytes);
    },
  };
}

function isCrop(file: DatasetFile, to: ConvertOptions['to']): boolean {
  return to.format === 'imagefolder@1' && file.task === 'detect' && to.task === 'classify';
}

function headerOf(file: DatasetFile, plan: ClassPlan, to: ConvertOptions['to']): DatasetHeader {
  const folders = to.format === 'imagefolder@1';
  return {
    name: file.name,
    task: to.task,
    format: to.format,
    classes: plan.classes.map((entry) =>
      folders ? { ...entry, dir: entry.dir ?? safeDir(entry.name, entry.index) } : entry,
    ),
    ...(file.keypoints === undefined || to.task !== 'pose' ? {} : { keypoints: file.keypoints }),
    ...(file.license === undefined ? {} : { license: file.license }),
  };
}

/** A class name is any text; a folder is not. */
function safeDir(name: string, index: number): string {
  return /^[\p{L}\p{N}_-][\p{L}\p{N} ._-]*$/u.test(name) && !/[. ]$/.test(name) ? name : `class-${index}`;
}
