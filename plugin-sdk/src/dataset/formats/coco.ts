/** coco@1: pictures, and one JSON file of annotations by split. Categories are matched by name; their ids may have gaps. */
import { lineOfEntry } from '../json-line.ts';
import type { Item, Label } from '../labelled-item.ts';
import { readListed, readText, type Note, type Reading } from '../reading.ts';
import type { FormatWriter, OpenWriter } from '../writing.ts';
import { parseCoco, textOf, type CocoFile, type Entry } from './coco-file.ts';
import { labelFromCoco, labelToCoco } from './coco-label.ts';

interface Opened {
  readonly coco: CocoFile;
  readonly classes: ReadonlyMap<unknown, number>;
  readonly byImage: ReadonlyMap<unknown, readonly { readonly at: number; readonly entry: Entry }[]>;
  readonly idByName: ReadonlyMap<string, unknown>;
  complain(list: string, at: number, note: Omit<Note, 'file' | 'line' | 'pointer'>): void;
}

export async function* readCoco(reading: Reading, split: string): AsyncGenerator<Item> {
  const opened = await openFile(reading, split);
  if (opened === null) return;
  const { images } = reading.file.splits[split] ?? { images: '' };
  for await (const { image, width, height } of readListed(reading, split)) {
    const relative = image.startsWith(`${images}/`) ? image.slice(images.length + 1) : image;
    const id = opened.idByName.get(relative) ?? opened.idByName.get(image) ?? opened.idByName.get(baseName(image));
    const labels: Label[] = [];
    const seen = new Set<string>();
    for (const { at, entry } of opened.byImage.get(id) ?? []) {
      const { id: _id, ...content } = entry;
      const same = JSON.stringify(content);
      if (seen.has(same)) {
        const message = 'The annotation is the same as an earlier one.';
        opened.complain('annotations', at, { check: 'dataset-duplicate-row', message, fix: 'Keep one of them.' });
        continue;
      }
      seen.add(same);
      const index = opened.classes.get(entry['category_id']);
      if (index === undefined) continue;
      const { task, keypoints } = reading.file;
      const label = labelFromCoco(entry, index, { width, height }, { task, keypoints });
      if ('check' in label) opened.complain('annotations', at, label);
      else labels.push(label);
    }
    yield { image, width, height, split, labels };
  }
}

async function openFile({ source, file, report }: Reading, split: string): Promise<Opened | null> {
  const path = file.splits[split]?.annotations ?? `annotations/${split}.json`;
  const text = await readText(source, path);
  const coco = text === null ? null : parseCoco(text);
  if (text === null || coco === null) {
    report({
      check: 'dataset-annotation-unreadable',
      file: path,
      message: text === null ? 'The annotations are missing.' : 'This is not a COCO file.',
      fix: 'Write a JSON file with images, annotations and categories.',
    });
    return null;
  }
  const complain: Opened['complain'] = (list, at, note) =>
    report({ ...note, file: path, line: lineOfEntry(text, list, at), pointer: `/${list}/${at}` });
  const byName = new Map(file.classes.map((entry) => [entry.name.normalize('NFC'), entry.index]));
  const classes = new Map<unknown, number>();
  const categories = new Set<unknown>();
  coco.categories.forEach((category, at) => {
    const name = textOf(category['name']) ?? '';
    const index = byName.get(name.normalize('NFC'));
    categories.add(category['id']);
    if (index !== undefined) classes.set(category['id'], index);
    else {
      const message = `The category "${name}" is no class of dataset.json.`;
      complain('categories', at, { check: 'dataset-category-unknown', message, fix: 'Add the class or take it out.' });
    }
  });
  const byImage = new Map<unknown, { at: number; entry: Entry }[]>();
  const imageIds = new Set(coco.images.map((image) => image['id']));
  coco.annotations.forEach((entry, at) => {
    if (!categories.has(entry['category_id'])) {
      const message = `Category ${JSON.stringify(entry['category_id'])} is not in the list of categories.`;
      complain('annotations', at, { check: 'dataset-label-index', message, fix: 'Mend the id or add the category.' });
    }
    if (!imageIds.has(entry['image_id'])) {
      const message = `Picture ${JSON.stringify(entry['image_id'])} is not in the list of images.`;
      complain('annotations', at, { check: 'dataset-image-missing', message, fix: 'Mend the id or add the picture.' });
    }
    const list = byImage.get(entry['image_id']);
    if (list === undefined) byImage.set(entry['image_id'], [{ at, entry }]);
    else list.push({ at, entry });
  });
  const idByName = new Map(coco.images.map((image) => [textOf(image['file_name']) ?? '', image['id']]));
  return { coco, classes, byImage, idByName, complain };
}

function baseName(path: string): string {
  return path.split('/').at(-1) ?? path;
}

export function openCoco(...[sink, header, placed]: Parameters<OpenWriter>): FormatWriter {
  const files = new Map<string, { images: object[]; annotations: object[] }>();
  const points =
    header.keypoints === undefined
      ? {}
      : {
          keypoints: header.keypoints.names,
          skeleton: (header.keypoints.skeleton ?? []).map((pair) => pair.map((at) => at + 1)),
        };
  const categories = header.classes.map(({ index, name }) => ({ id: index + 1, name, ...points }));
  return {
    add: async (item) => {
      const image = await placed.place(item, `images/${item.split}`);
      const file = files.get(item.split) ?? { images: [], annotations: [] };
      files.set(item.split, file);
      const id = file.images.length + 1;
      file.images.push({ id, file_name: baseName(image), width: item.width, height: item.height });
      for (const label of item.labels) {
        const fields = labelToCoco(label);
        if (fields === null || !('class' in label))
          throw new Error(`${item.image}: a ${label.kind} label is not COCO.`);
        file.annotations.push({
          id: file.annotations.length + 1,
          image_id: id,
          category_id: label.class + 1,
          ...fields,
        });
      }
    },
    end: async () => {
      const folders: Record<string, { images: string; annotations: string }> = {};
      for (const [split, { images, annotations }] of files) {
        const path = `annotations/${split}.json`;
        // One entry a line: findings can point at it, and a person can read it.
        const parts = Object.entries({ images, annotations, categories }).map(
          ([key, list]) => `"${key}":[\n${list.map((entry) => JSON.stringify(entry)).join(',\n')}\n]`,
        );
        await sink.write(path, `{${parts.join(',\n')}}\n`);
        folders[split] = { images: `images/${split}`, annotations: path };
      }
      return folders;
    },
  };
}
