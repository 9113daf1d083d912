/** A process of its own that opens what strangers uploaded: it may read and write the folder of its work and nothing else of the hub's. */
import { createHash } from 'node:crypto';
import { constants, createWriteStream, type WriteStream } from 'node:fs';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  convertDataset,
  DatasetError,
  inspectUpload,
  synthDataset,
  type DatasetSource,
  type Item,
} from '@trainyard/plugin-sdk/dataset';
import { drawnLabels } from './drawn-labels.ts';
import { ITEMS, type ItemRow, type ResultFile, type WorkRequest, type WorkResult } from './work-request.ts';

const HEAD = 256 * 1024;
const TAIL = 64;

interface Known {
  readonly file: string;
  readonly bytes: number;
  sha256: string | null;
}

async function opened<T>(file: string, work: (handle: Awaited<ReturnType<typeof open>>) => Promise<T>): Promise<T> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

function sourceOf(files: ReadonlyMap<string, Known>): DatasetSource {
  async function at<T>(path: string, work: (known: Known) => Promise<T>): Promise<T | null> {
    const known = files.get(path);
    return known === undefined ? null : work(known);
  }
  return {
    read: (path) => at(path, ({ file }) => opened(file, (handle) => handle.readFile())),
    ends: (path) =>
      at(path, ({ file, bytes }) =>
        opened(file, async (handle) => {
          const head = Buffer.alloc(Math.min(HEAD, bytes));
          await handle.read(head, 0, head.length, 0);
          const tail = Buffer.alloc(Math.min(TAIL, bytes));
          await handle.read(tail, 0, tail.length, bytes - tail.length);
          return { head, tail };
        }),
      ),
    digest: (path) =>
      at(path, async (known) => {
        known.sha256 ??= await digestOf(known.file);
        return `sha256:${known.sha256}`;
      }),
  };
}

async function digestOf(file: string): Promise<string> {
  return opened(file, async (handle) => {
    const hash = createHash('sha256');
    for await (const part of handle.createReadStream({ autoClose: false })) hash.update(part);
    return hash.digest('hex');
  });
}

/** Files that the work writes itself: numbered, so that no name of a stranger becomes a path. */
class Made {
  readonly files: ResultFile[] = [];
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = join(folder, 'made');
  }

  async write(path: string, content: Uint8Array | string): Promise<void> {
    if (this.files.length === 0) await mkdir(this.#folder, { recursive: true });
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const file = join(this.#folder, String(this.files.length));
    await writeFile(file, bytes, { flag: 'wx' });
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.files.push({ path, file, bytes: bytes.byteLength, sha256, made: true });
  }
}

async function written(stream: WriteStream): Promise<void> {
  await new Promise<void>((done, failed) => stream.once('error', failed).end(done));
}

async function inspect(folder: string, { files, wish }: WorkRequest & { kind: 'inspect' }): Promise<WorkResult> {
  const known = new Map<string, Known>(files.map(({ path, file, bytes, sha256 }) => [path, { file, bytes, sha256 }]));
  const rows = createWriteStream(join(folder, ITEMS));
  const found = await inspectUpload([...known.keys()], sourceOf(known), wish, (item: Item) => {
    const classes = new Set(
      item.labels.flatMap((one) => (one.kind === 'mask' ? [...new Set(one.mask.data)] : [one.class])),
    );
    classes.delete(255);
    const { image: path, split, width, height } = item;
    const row: ItemRow = { path, split, width, height, classes: [...classes], labels: drawnLabels(item) };
    rows.write(`${JSON.stringify(row)}\n`);
  });
  await written(rows);
  if (!('file' in found)) return { kind: 'unknown', ...found };
  const made = new Made(folder);
  for (const [path, text] of found.plan.made) await made.write(path, text);
  const result: ResultFile[] = [];
  const root = found.root;
  for (const [path, from] of found.plan.from) {
    const file = known.get(`${root}${from}`);
    if (file === undefined) continue;
    result.push({ path, ...file, sha256: (file.sha256 ??= await digestOf(file.file)), made: false });
  }
  const { file, findings, more, images, labels, counts, turned, plan } = found;
  return {
    kind: 'inspect',
    ...{ file, findings, more, images, labels, counts, turned },
    because: plan.because,
    method: plan.method,
    ignored: plan.ignored,
    files: [...result, ...made.files],
  };
}

async function convert(folder: string, { files, file, to }: WorkRequest & { kind: 'convert' }): Promise<WorkResult> {
  const known = new Map<string, Known>(files.map((one) => [one.path, { ...one }]));
  const made = new Made(folder);
  const placed: ResultFile[] = [];
  const sink = {
    write: (path: string, bytes: Uint8Array | string) =>
      path === 'dataset.json' ? Promise.resolve() : made.write(path, bytes),
    place: async (path: string, from: string) => {
      const picture = known.get(from);
      if (picture === undefined) throw new Error(`The picture ${from} is missing.`);
      placed.push({ path, ...picture, sha256: picture.sha256 ?? (await digestOf(picture.file)), made: false });
    },
  };
  const done = await convertDataset(sourceOf(known), file, sink, { to });
  return { kind: 'convert', file: done.file, info: done.info, files: [...placed, ...made.files] };
}

async function synth(folder: string, { options }: WorkRequest & { kind: 'synth' }): Promise<WorkResult> {
  const made = new Made(folder);
  for (const [path, bytes] of (await synthDataset(options)).files) await made.write(path, bytes);
  return { kind: 'synth', files: made.files };
}

async function main(folder: string): Promise<WorkResult> {
  const request = JSON.parse(await readFile(join(folder, 'request.json'), 'utf8')) as WorkRequest;
  try {
    if (request.kind === 'inspect') return await inspect(folder, request);
    return request.kind === 'convert' ? await convert(folder, request) : await synth(folder, request);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', message, finding: error instanceof DatasetError ? error.finding : null };
  }
}

const folder = process.argv[2] ?? '';
await writeFile(join(folder, 'result.json'), JSON.stringify(await main(folder)));
