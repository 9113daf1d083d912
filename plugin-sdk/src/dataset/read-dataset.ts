/** Items of a dataset in any of the seven formats, and datasets from items. */
import type { DatasetFile } from './dataset-file.ts';
import type { DatasetSource } from './dataset-source.ts';
import { FORMATS, isDatasetFormat } from './formats/format-table.ts';
import type { DatasetHeader, Item } from './labelled-item.ts';
import { throwNote, type Report } from './reading.ts';
import { PlacedImages, writeLists, type DatasetSink } from './writing.ts';

function formatOf(format: string): (typeof FORMATS)[keyof typeof FORMATS] {
  if (isDatasetFormat(format)) return FORMATS[format];
  return throwNote({
    check: 'dataset-file-invalid',
    file: 'dataset.json',
    pointer: '/format',
    message: `The format ${format} is not known.`,
    fix: `Use one of ${Object.keys(FORMATS).join(', ')}.`,
  });
}

/**
 * Split by split, in the order of the lists, one picture at a time. A problem is reported and its label left out; without `report` the first
 * one is thrown as DatasetError.
 */
export async function* readItems(
  source: DatasetSource,
  file: DatasetFile,
  options: { report?: Report; splits?: readonly string[] } = {},
): AsyncGenerator<Item> {
  const format = formatOf(file.format);
  for (const split of options.splits ?? Object.keys(file.splits))
    yield* format.read({ source, file, report: options.report ?? throwNote }, split);
}

/** Writes pictures, annotations, lists and dataset.json. The digest is that of the snapshot; whoever stores it fills it in. */
export async function writeItems(
  sink: DatasetSink,
  header: DatasetHeader,
  items: AsyncIterable<Item> | Iterable<Item>,
  identity: { digest: string; snapshot: string } = { digest: '', snapshot: '' },
): Promise<DatasetFile> {
  const placed = new PlacedImages(sink);
  const writer = formatOf(header.format).open(sink, header, placed);
  for await (const item of items) await writer.add(item);
  return writeLists(sink, header, placed, await writer.end(), identity);
}
