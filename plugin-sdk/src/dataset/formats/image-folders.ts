/** imagefolder@1: `<split>/<classes[i].dir>/<file>`. */
import type { Item } from '../labelled-item.ts';
import { readListed, type Reading } from '../reading.ts';
import type { FormatWriter, OpenWriter } from '../writing.ts';

export async function* readFolders(reading: Reading, split: string): AsyncGenerator<Item> {
  const { file, report } = reading;
  const byDir = new Map(file.classes.map((entry) => [entry.dir ?? entry.name, entry.index]));
  for await (const { image, line, width, height } of readListed(reading, split)) {
    const dir = image.split('/').at(-2) ?? '';
    const index = byDir.get(dir) ?? byDir.get(dir.normalize('NFC'));
    if (index === undefined) {
      report({
        check: 'dataset-label-index',
        file: file.splits[split]?.list ?? 'dataset.json',
        line,
        message: `The folder ${dir} of ${image} is no class of dataset.json.`,
        fix: 'Move the picture into the folder of a class, or add the class.',
      });
      continue;
    }
    yield { image, width, height, split, labels: [{ kind: 'class', class: index }] };
  }
}

export function openFolders(...[, header, placed]: Parameters<OpenWriter>): FormatWriter {
  const splits = new Set<string>();
  return {
    add: async (item) => {
      const label = item.labels.find((one) => one.kind === 'class');
      const entry = header.classes.find(({ index }) => index === label?.class);
      if (entry === undefined) throw new Error(`${item.image} has no class.`);
      splits.add(item.split);
      await placed.place(item, `${item.split}/${entry.dir ?? entry.name}`);
    },
    end: () => Promise.resolve(Object.fromEntries([...splits].map((split) => [split, { images: split }]))),
  };
}
