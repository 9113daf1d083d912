import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { snapshotDigest, type Digest } from '@trainyard/plugin-sdk';
import { writePackage, writeTarGz, type PackedFile } from '@trainyard/plugin-sdk/archive';

/** The reference trainer as it is packed (links followed), and the handwritten digits as a snapshot. For tests. */

const TRAINER = fileURLToPath(new URL('../../../plugin-sdk/reference-trainer', import.meta.url));
const DIGITS = fileURLToPath(new URL('../../../plugin-sdk/samples/digits.zip', import.meta.url));

function hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if ((await stat(path)).isDirectory()) found.push(...(await filesBelow(path)));
    else if (!name.endsWith('.test.ts') && name !== 'job-folder.ts') found.push(path);
  }
  return found;
}

export async function referencePackage(): Promise<{ digest: Digest; sha256: string; bytes: Buffer }> {
  const files: PackedFile[] = [];
  for (const path of await filesBelow(TRAINER)) {
    files.push({ path: relative(TRAINER, path), bytes: await readFile(path) });
  }
  const bytes = writePackage(files);
  const sha256 = hex(bytes);
  return { digest: `sha256:${sha256}`, sha256, bytes };
}

/** Every `every`-th digit, each fifth of those in val. */
export async function digitsSnapshot(every: number): Promise<{
  digest: Digest;
  bytes: Buffer;
  pictures: readonly PackedFile[];
}> {
  const lists: Record<'train' | 'val', string[]> = { train: [], val: [] };
  const pictures: PackedFile[] = [];
  for (const [at, { name, bytes }] of readStoredZip(await readFile(DIGITS)).entries()) {
    if (at % every !== 0) continue;
    const split = (at / every) % 5 === 4 ? 'val' : 'train';
    lists[split].push(`${split}/${name}`);
    pictures.push({ path: `${split}/${name}`, bytes });
  }
  const texts = Object.entries(lists).map(([split, list]) => ({
    path: `${split}.txt`,
    bytes: Buffer.from(list.map((path) => `${path}\n`).join('')),
  }));
  const files = [...texts, ...pictures];
  const digest = snapshotDigest(files.map(({ path, bytes }) => ({ path, sha256: hex(bytes), bytes: bytes.length })));
  const description = {
    ...{ schema: 'dataset@1', name: 'digits', task: 'classify', format: 'imagefolder@1', digest, snapshot: 'snap_1' },
    classes: Array.from({ length: 10 }, (_, index) => ({ index, name: `digit ${index}`, dir: String(index) })),
    splits: Object.fromEntries(
      Object.entries(lists).map(([split, list]) => [
        split,
        { images: split, list: `${split}.txt`, count: list.length },
      ]),
    ),
  };
  // `writeTarGz` sorts by path; this name sorts before the folders and lists of the snapshot.
  const bytes = writeTarGz([{ path: 'dataset.json', bytes: Buffer.from(JSON.stringify(description)) }, ...files]);
  return { digest, bytes, pictures };
}

/** Entries of a zip in which nothing is deflated, in the order of the file. */
function readStoredZip(zip: Buffer): { name: string; bytes: Buffer }[] {
  const entries: { name: string; bytes: Buffer }[] = [];
  for (let at = 0; zip.readUInt32LE(at) === 0x04034b50;) {
    const size = zip.readUInt32LE(at + 18);
    const name = at + 30;
    const from = name + zip.readUInt16LE(at + 26) + zip.readUInt16LE(at + 28);
    entries.push({
      name: zip.toString('utf8', name, name + zip.readUInt16LE(at + 26)),
      bytes: zip.subarray(from, from + size),
    });
    at = from + size;
  }
  return entries;
}
