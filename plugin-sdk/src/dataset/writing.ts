/** What all writers share: where pictures go, the lists of the splits, and dataset.json. */
import { mkdir, link, writeFile, copyFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DatasetFile } from './dataset-file.ts';
import type { DatasetHeader, Item } from './labelled-item.ts';

/** Takes a dataset, file by file. Calls come one after another; each path once. */
export interface DatasetSink {
  write(path: string, bytes: Uint8Array | string): Promise<void>;
  /** The picture at `from` of the source appears at `path`; its bytes stay what they are. */
  place(path: string, from: string): Promise<void>;
}

/** One split after another, `end` once. */
export interface FormatWriter {
  add(item: Item): Promise<void>;
  end(): Promise<SplitFolders>;
}
/** Folder of annotations (or the file, for COCO) by split. */
export type SplitFolders = Readonly<Record<string, { images: string; annotations?: string }>>;
export type OpenWriter = (sink: DatasetSink, header: DatasetHeader, placed: PlacedImages) => FormatWriter;

/** Gives every picture its path in the new layout, never the same twice. */
export class PlacedImages {
  readonly #taken = new Set<string>();
  readonly #lists = new Map<string, string[]>();
  readonly #sink: DatasetSink;

  constructor(sink: DatasetSink) {
    this.#sink = sink;
  }

  get lists(): ReadonlyMap<string, readonly string[]> {
    return this.#lists;
  }

  /** Returns the path that the picture has now. */
  async place(item: Item, folder: string): Promise<string> {
    // Stems are unique too: x.jpg and x.png would share one label file.
    const name = item.image.split('/').at(-1) ?? item.image;
    const dot = name.lastIndexOf('.');
    const [stem, ending] = dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot)];
    let unique = stem;
    for (let n = 2; this.#taken.has(`${folder}/${unique}`); n += 1) unique = `${stem}-${n}`;
    this.#taken.add(`${folder}/${unique}`);
    const path = `${folder}/${unique}${ending}`;
    await this.#sink.place(path, item.image);
    const list = this.#lists.get(item.split);
    if (list === undefined) this.#lists.set(item.split, [path]);
    else list.push(path);
    return path;
  }
}

export async function writeLists(
  sink: DatasetSink,
  header: DatasetHeader,
  placed: PlacedImages,
  folders: SplitFolders,
  identity: { digest: string; snapshot: string },
): Promise<DatasetFile> {
  const splits: DatasetFile['splits'] = {};
  for (const [split, paths] of placed.lists) {
    const list = `${split}.txt`;
    await sink.write(list, paths.map((path) => `${path}\n`).join(''));
    splits[split] = { ...(folders[split] ?? { images: `images/${split}` }), list, count: paths.length };
  }
  const file: DatasetFile = { schema: 'dataset@1', ...header, ...identity, splits };
  await sink.write('dataset.json', `${JSON.stringify(file, null, 2)}\n`);
  return file;
}

/** `pictures` gives the bytes of the source's pictures. */
export function sinkToMap(
  files: Map<string, Uint8Array>,
  pictures: { read(path: string): Promise<Uint8Array | null> },
): DatasetSink {
  return {
    write: (path, bytes) => {
      files.set(path, typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
      return Promise.resolve();
    },
    place: async (path, from) => {
      const bytes = await pictures.read(from);
      if (bytes === null) throw new Error(`The picture ${from} is missing.`);
      files.set(path, bytes);
    },
  };
}

/** Pictures are hardlinked where the disk allows it, copied elsewhere. */
export function sinkToFolder(folder: string, sourceFolder: string): DatasetSink {
  return {
    write: async (path, bytes) => {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), bytes);
    },
    place: async (path, from) => {
      const to = join(folder, path);
      await mkdir(dirname(to), { recursive: true });
      try {
        await link(join(sourceFolder, from), to);
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : null;
        if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error;
        await copyFile(join(sourceFolder, from), to);
      }
    },
  };
}
