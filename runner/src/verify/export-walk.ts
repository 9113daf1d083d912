import { createReadStream } from 'node:fs';
import { lstat, open, readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { indexZip, readZipEntry } from '@trainyard/plugin-sdk/archive';

/** The files of an export folder, read as streams: models are large. */

export interface WalkedFile {
  /** Inside the folder, with slashes. */
  readonly path: string;
  readonly bytes: number;
}

/** Plain files by path; whatever is neither a plain file nor a folder (links, sockets) is listed apart and never followed. */
export async function walkExport(folder: string): Promise<{ files: WalkedFile[]; strange: string[] }> {
  const files: WalkedFile[] = [];
  const strange: string[] = [];
  async function walk(inner: string): Promise<void> {
    const entries = await readdir(join(folder, inner), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = inner === '' ? entry.name : `${inner}/${entry.name}`;
      if (entry.isDirectory()) await walk(path);
      else if (entry.isFile()) files.push({ path, bytes: (await lstat(join(folder, path))).size });
      else strange.push(path);
    }
  }
  await walk('');
  return { files, strange };
}

/** A sentence when a path is missing or leads out of the folder. */
export async function linkOrMissing(folder: string, paths: readonly string[]): Promise<string | null> {
  const root = await realpath(folder);
  for (const path of paths) {
    const at = join(root, path);
    const [stat, real] = await Promise.all([lstat(at).catch(() => null), realpath(at).catch(() => null)]);
    if (stat === null || real === null) return `The export has no ${path}.`;
    if (!stat.isFile() || !real.startsWith(`${root}${sep}`)) return `${path} is not a plain file inside the export.`;
  }
  return null;
}

export interface Content {
  /** The file, or `model.torchscript › archive/data.pkl`. */
  readonly name: string;
  /** Path inside the archive; null for the file itself. */
  readonly inner: string | null;
  readonly bytes: number;
  open(): AsyncIterable<Buffer>;
}

/** A file, and what an archive holds, whatever its name. An archive that cannot be read in order gives its own bytes only. */
export async function contentsOf(folder: string, { path, bytes }: WalkedFile): Promise<Content[]> {
  const file = join(folder, path);
  const own: Content = { name: path, inner: null, bytes, open: () => createReadStream(file) };
  if (!(await startsWith(file, 'PK'))) return [own];
  const index = await indexZip(file);
  if ('findings' in index) return [own];
  const inner = index.entries.map((entry) => ({
    name: `${path} › ${entry.path}`,
    inner: entry.path,
    bytes: entry.size,
    open: () => readZipEntry(file, entry),
  }));
  return [own, ...inner];
}

async function startsWith(file: string, text: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const head = Buffer.alloc(text.length);
    await handle.read(head, 0, head.length, 0);
    return head.toString('latin1') === text;
  } finally {
    await handle.close();
  }
}
