/** All problems of a dataset (contract.md §6.3), each with file and line. */
import type { Finding } from '../finding.ts';
import type { DatasetFile } from './dataset-file.ts';
import type { DatasetSource } from './dataset-source.ts';
import type { Item } from './labelled-item.ts';
import { findingOf, listLines, type Report } from './reading.ts';
import { readItems } from './read-dataset.ts';

export interface DatasetFacts {
  readonly findings: readonly Finding[];
  /** Findings beyond the limit are counted, not kept. */
  readonly more: number;
  readonly images: number;
  readonly labels: number;
}

/** Reads everything once: text whole, pictures by header and digest. Errors come before warnings. `each` gets every readable item. */
export async function checkDataset(
  source: DatasetSource,
  file: DatasetFile,
  options: { limit?: number; evaluateOnly?: boolean; each?: (item: Item) => void } = {},
): Promise<DatasetFacts> {
  const limit = options.limit ?? 200;
  const findings: Finding[] = [];
  let more = 0;
  const report: Report = (note) => {
    if (findings.length < limit) findings.push(findingOf(note));
    else more += 1;
  };
  checkClasses(file, report);
  let [images, labels] = [0, 0];
  const needed = options.evaluateOnly === true ? [] : ['train', 'val'];
  for (const split of new Set([...needed, ...Object.keys(file.splits)])) {
    const used = new Set<number>();
    let inSplit = 0;
    if (Object.hasOwn(file.splits, split)) {
      for await (const item of readItems(source, file, { report, splits: [split] })) {
        inSplit += 1;
        labels += item.labels.length;
        classesOf(item, used);
        options.each?.(item);
      }
    }
    images += inSplit;
    if (inSplit === 0) {
      const message = `The split ${split} is empty.`;
      const list = file.splits[split]?.list ?? 'dataset.json';
      report({ check: 'dataset-split-empty', file: list, message, fix: `Add pictures to ${split}.` });
    } else checkAbsent(file, split, used, report);
  }
  await checkOverlap(source, file, report);
  findings.sort((a, b) => Number(a.severity !== 'error') - Number(b.severity !== 'error'));
  return { findings, more, images, labels };
}

function checkClasses(file: DatasetFile, report: Report): void {
  const names = new Set<string>();
  file.classes.forEach((entry, at) => {
    const name = entry.name.normalize('NFC');
    const message =
      entry.index !== at
        ? `Class ${name} has index ${entry.index} at place ${at}.`
        : names.has(name)
          ? `The class name ${name} is used twice.`
          : null;
    names.add(name);
    if (message === null) return;
    const fix = 'Number the classes 0, 1, 2 … in order, each name once.';
    report({ check: 'dataset-file-invalid', file: 'dataset.json', pointer: `/classes/${at}`, message, fix });
  });
}

function classesOf(item: Item, used: Set<number>): void {
  for (const label of item.labels) {
    if (label.kind === 'mask') for (const value of label.mask.data) used.add(value);
    else used.add(label.class);
  }
}

function checkAbsent(file: DatasetFile, split: string, used: ReadonlySet<number>, report: Report): void {
  if (split !== 'train' && split !== 'val') return;
  for (const { index, name } of file.classes) {
    if (used.has(index)) continue;
    report({
      check: 'dataset-class-absent',
      severity: split === 'train' ? 'error' : 'warning',
      file: 'dataset.json',
      pointer: `/classes/${index}`,
      message: `The class ${name} does not appear in ${split}.`,
      fix: `Add pictures of ${name} to ${split}, or remove the class.`,
    });
  }
}

async function checkOverlap(source: DatasetSource, file: DatasetFile, report: Report): Promise<void> {
  const seen = new Map<string, { split: string; image: string }>();
  for (const split of Object.keys(file.splits)) {
    for await (const { image, list, line } of listLines({ source, file, report: () => undefined }, split)) {
      const digest = await source.digest(image);
      if (digest === null) continue;
      const twin = seen.get(digest);
      if (twin === undefined) seen.set(digest, { split, image });
      else if (twin.split !== split) {
        const message = `The picture ${image} of ${split} is also in ${twin.split} as ${twin.image}.`;
        report({ check: 'dataset-split-overlap', file: list, line, message, fix: 'Keep it in one split only.' });
      }
    }
  }
}
