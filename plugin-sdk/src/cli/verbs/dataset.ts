import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { addDatasetFolder, uploadDataset, type DatasetShape } from '../../api/index.ts';
import {
  DATASET_LIMITS,
  indexZip,
  iterateTarGz,
  readZipEntry,
  TAR_END,
  tarEntryHead,
  tarFiller,
} from '../../archive/index.ts';
import type { HubClient } from '../../client/hub-client.ts';
import {
  convertDataset,
  DatasetError,
  inspectUpload,
  sourceFromFolder,
  sourceFromMap,
  synthDataset,
  type DatasetSource,
  type Inspection,
} from '../../dataset/index.ts';
import { errorsFromFindings, Problem } from '../../problem.ts';
import { DATASET_FORMATS, TASKS, type DatasetFormat, type TaskId } from '../../vocabulary.ts';
import type { Output } from '../output.ts';

export interface DatasetWish {
  readonly name?: string | undefined;
  readonly task?: string | undefined;
  readonly format?: string | undefined;
}

function isTask(text: string): text is TaskId {
  return Object.hasOwn(TASKS, text);
}

function stated({ task, format }: DatasetWish): { task?: TaskId; format?: DatasetFormat } {
  if (task !== undefined && !isTask(task))
    throw new Problem('bad-request', {
      detail: `There is no task ${task}.`,
      fix: `Tasks: ${Object.keys(TASKS).join(', ')}.`,
    });
  const found = DATASET_FORMATS.find((one) => one === format || one === `${format ?? ''}@1`);
  if (format !== undefined && found === undefined)
    throw new Problem('bad-request', {
      detail: `There is no format ${format}.`,
      fix: `Formats: ${DATASET_FORMATS.join(', ')}.`,
    });
  return { ...(task === undefined ? {} : { task }), ...(found === undefined ? {} : { format: found }) };
}

/** A folder where it lies, an archive in memory. */
async function openUpload(path: string): Promise<{ paths: string[]; source: DatasetSource }> {
  const info = await stat(path).catch(() => null);
  if (info === null)
    throw new Problem('bad-request', { detail: `There is no ${path}.`, fix: 'Name a folder or an archive.' });
  if (info.isDirectory()) {
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const root = resolve(path);
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    return {
      paths: paths.map((file) =>
        resolve(file)
          .slice(root.length + 1)
          .replaceAll('\\', '/'),
      ),
      source: sourceFromFolder(path),
    };
  }
  const files = new Map<string, Uint8Array>();
  async function keep(name: string, stream: AsyncIterable<Uint8Array>): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const part of stream) parts.push(Uint8Array.from(part));
    files.set(name, Buffer.concat(parts));
  }
  if (path.endsWith('.zip')) {
    const index = await indexZip(path, DATASET_LIMITS);
    if ('findings' in index) throw new Problem('dataset-invalid', { errors: errorsFromFindings(index.findings) });
    for (const entry of index.entries) await keep(entry.path, readZipEntry(path, entry));
  } else
    for await (const entry of iterateTarGz(createReadStream(path), DATASET_LIMITS))
      await keep(entry.path, entry.stream);
  return { paths: [...files.keys()], source: sourceFromMap(files) };
}

async function inspected(path: string, wish: DatasetWish): Promise<Inspection> {
  const { paths, source } = await openUpload(path);
  const found = await inspectUpload(paths, source, { name: wish.name ?? basename(resolve(path)), ...stated(wish) });
  if ('file' in found) return found;
  throw new Problem('dataset-invalid', { detail: `No format was recognised: ${found.because}.`, fix: found.fix });
}

/** What a folder or an archive is, and every problem in it. 65 when it cannot be used. */
export async function inspectDataset(path: string, wish: DatasetWish, output: Output): Promise<number> {
  const found = await inspected(path, wish);
  const { file, findings, counts, images, labels, plan, more } = found;
  output.line(`${file.format} for ${file.task}: ${plan.because}.`);
  const splits = Object.entries(file.splits).map(([name, { count }]) => `${name} ${count}`);
  output.line(
    `${images} pictures (${splits.join(', ')}; ${plan.method === 'given' ? 'as given' : 'divided here'}), ${labels} labels.`,
  );
  file.classes.forEach(({ index, name }) =>
    output.line(`  ${String(index).padStart(3)}  ${name}  ${counts[index]?.count ?? 0}`),
  );
  for (const { severity, where, message, fix } of findings) {
    const at = [where?.file, where?.line].filter((part) => part !== undefined).join(':');
    output.line(`  ${severity.padEnd(8)} ${at}  ${message}\n           → ${fix}`);
  }
  if (more > 0) output.line(`  and ${more} more`);
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  output.result({
    ...{ task: file.task, format: file.format, because: plan.because, images, labels, findings, more },
    classes: file.classes.map(({ index, name }) => ({ index, name, ...counts[index] })),
    splits: file.splits,
  });
  return errors > 0 ? 65 : 0;
}

async function write(folder: string, path: string, bytes: Uint8Array | string): Promise<void> {
  const target = join(folder, path);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, bytes, { flag: 'wx' });
}

async function emptyFolder(out: string): Promise<void> {
  await mkdir(out, { recursive: true });
  if ((await readdir(out)).length > 0)
    throw new Problem('conflict', { detail: `${out} is not empty.`, fix: 'Name a new folder with --out.' });
}

/** Writes the dataset in another format beside it; conversion.json says what was lost. */
export async function convertFolder(
  path: string,
  wish: DatasetWish & { to: string; out: string },
  output: Output,
): Promise<number> {
  const found = await inspected(path, { name: wish.name });
  const errors = errorsFromFindings(found.findings);
  if (errors.length > 0)
    throw new Problem('dataset-invalid', { detail: 'It has errors, so it is not converted.', errors });
  const { format } = stated({ format: wish.to });
  const { task = ownTask(format, found.file.task) } = stated({ task: wish.task });
  if (format === undefined || !isTask(task))
    throw new Problem('bad-request', { detail: 'The format is missing.', fix: 'Add --to.' });
  await emptyFolder(wish.out);
  try {
    const { info } = await convertDataset(
      found.source,
      found.file,
      {
        write: (name, bytes) => write(wish.out, name, bytes),
        place: async (name, from) => write(wish.out, name, (await found.source.read(from)) ?? new Uint8Array()),
      },
      { to: { task, format } },
    );
    output.line(`${info.counts.images} pictures, ${info.counts.labelsWritten} labels as ${format} in ${wish.out}.`);
    for (const [what, times] of Object.entries(info.losses)) output.line(`  ${what} (${times} times)`);
    output.result({ out: wish.out, ...info });
    return 0;
  } catch (error) {
    if (!(error instanceof DatasetError)) throw error;
    throw new Problem('dataset-invalid', { detail: error.finding.message, fix: error.finding.fix });
  }
}

/** The task that only this format serves, else the one there is. */
function ownTask(format: DatasetFormat | undefined, now: string): string {
  const serving = Object.entries(TASKS).filter(([, word]) => word.datasets.some((one) => one === format));
  return serving.some(([task]) => task === now) ? now : (serving[0]?.[0] ?? now);
}

/** "Parts on a belt" into a folder; no hub and no download. */
export async function synthFolder(
  wish: DatasetWish & { out: string; seed: number; train: number; val: number },
  output: Output,
): Promise<number> {
  const { task = 'detect', format } = stated(wish);
  await emptyFolder(wish.out);
  const { seed, train, val } = wish;
  const { files, file } = await synthDataset({ task, seed, train, val, ...(format === undefined ? {} : { format }) });
  for (const [path, bytes] of files) await write(wish.out, path, bytes);
  output.line(`${train} + ${val} pictures as ${file.format} for ${task} in ${wish.out}.`);
  output.line(file.digest);
  output.result({ out: wish.out, task, format: file.format, digest: file.digest });
  return 0;
}

async function* tarOf(folder: string): AsyncIterable<Uint8Array> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = await readFile(file);
    yield tarEntryHead(file.slice(folder.length + 1).replaceAll('\\', '/'), bytes.length);
    yield bytes;
    yield tarFiller(bytes.length);
  }
  yield TAR_END;
}

/** Sends an archive or a folder of this machine, or names a folder on the machine of the hub. */
export async function addToHub(
  client: HubClient,
  wish: DatasetWish & { path: string | undefined; folder: string | undefined },
  output: Output,
): Promise<number> {
  const given = basename(resolve(wish.folder ?? wish.path ?? '')).replace(/\.(zip|tar|tgz|tar\.gz)$/, '');
  const name = wish.name ?? (given.length < 2 ? `${given} data` : given.slice(0, 80));
  let made: { dataset: DatasetShape; warnings: { message: string }[] };
  if (wish.folder !== undefined)
    made = await client.call(addDatasetFolder, { body: { name, path: wish.folder, ...stated(wish) } });
  else {
    const path = resolve(wish.path ?? '.');
    const info = await stat(path).catch(() => null);
    if (info === null)
      throw new Problem('bad-request', { detail: `There is no ${path}.`, fix: 'Name a folder or an archive.' });
    const body = info.isDirectory()
      ? Readable.from(tarOf(path), { objectMode: false }).pipe(createGzip({ level: 1 }))
      : createReadStream(path);
    made = await client.call(uploadDataset, { query: { name, ...stated(wish) }, body });
  }
  const { snapshot } = made.dataset;
  output.line(`${made.dataset.name}: ${client.url}/datasets/${made.dataset.id}`);
  if (snapshot !== null)
    output.line(
      `${snapshot.format} for ${snapshot.task}, ${snapshot.files} pictures, ${snapshot.classes.length} classes.`,
    );
  for (const { message } of made.warnings) output.line(`  ${message}`);
  output.result(made);
  return 0;
}
