import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { Problem } from '@trainyard/plugin-sdk';
import { DATASET_LIMITS, pathProblem } from '@trainyard/plugin-sdk/archive';
import type { AuditCaller } from '../audit/record-audit.ts';
import { addDataset, type CreatedDataset, type NewDataset } from './create-dataset.ts';
import type { DatasetDeps } from './deps.ts';
import { isNoise, isWanted, refuseCount } from './stage-upload.ts';
import { withWorkFolder } from './work/run-work.ts';
import type { WorkFile } from './work/work-request.ts';

function refused(detail: string, fix: string): Problem {
  return new Problem('bad-request', {
    detail,
    fix,
    errors: [{ pointer: '/path', code: 'path', message: detail, fix }],
  });
}

/** The real folder; nothing of the hub's own, and nothing that is no folder. */
async function realFolder(deps: DatasetDeps, path: string): Promise<string> {
  if (!path.startsWith('/')) throw refused('The path is not absolute.', 'Write the whole path, such as /data/parts.');
  const folder = await realpath(resolve(path)).catch(() => null);
  if (folder === null || !(await stat(folder)).isDirectory())
    throw refused(
      'There is no such folder on the machine of the hub.',
      'Check the path; the hub must be able to read it.',
    );
  const home = await realpath(dirname(dirname(resolve(deps.scratch)))).catch(() => dirname(dirname(deps.scratch)));
  if (
    home.startsWith(folder === sep ? sep : `${folder}${sep}`) ||
    home === folder ||
    folder.startsWith(`${home}${sep}`)
  )
    throw refused('This folder holds the data of the hub itself.', 'Choose the folder of a dataset.');
  return folder;
}

async function walk(root: string): Promise<{ files: WorkFile[]; ignored: string[] }> {
  const files: WorkFile[] = [];
  const ignored: string[] = [];
  const open = [''];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const entry of await readdir(join(root, at), { withFileTypes: true })) {
      const path = (at === '' ? entry.name : `${at}/${entry.name}`).normalize('NFC');
      if (isNoise(path)) continue;
      if (entry.isSymbolicLink())
        throw refused(
          `${path} is a symbolic link.`,
          'Links are not followed. Replace it by the file or folder it points to.',
        );
      const wrong = pathProblem(path, DATASET_LIMITS);
      if (wrong !== null) throw refused(`${path} ${wrong}.`, 'Rename it.');
      if (entry.isDirectory()) open.push(at === '' ? entry.name : `${at}/${entry.name}`);
      else if (!entry.isFile() || !isWanted(path)) ignored.push(path);
      else {
        const file = join(root, at, entry.name);
        files.push({ path, file, bytes: (await lstat(file)).size, sha256: null });
        refuseCount(files.length);
      }
    }
  }
  return { files: files.sort((a, b) => (a.path < b.path ? -1 : 1)), ignored };
}

/**
 * A folder of the hub's own machine becomes a dataset: every file is read and hashed, none is changed, and where the disk allows it the store shares
 * their bytes instead of copying them. The path is told to nobody and stands in no row.
 */
export async function addFolder(
  deps: DatasetDeps,
  caller: AuditCaller,
  input: NewDataset,
  path: string,
): Promise<CreatedDataset> {
  const root = await realFolder(deps, path);
  const { files, ignored } = await walk(root);
  return withWorkFolder(deps.scratch, async (folder) => {
    const made = await addDataset(deps, caller, input, { folder, files, ignored, readable: [root], how: 'link' });
    const { copied = 0, linked = 0 } = made.shared;
    const message =
      copied === 0
        ? `${linked} files are shared with the folder, not copied. Do not change them there.`
        : `${copied} files were copied, because they lie on another disk or belong to somebody else; ${linked} are shared.`;
    return {
      dataset: made.dataset,
      warnings: [...made.warnings, { code: copied === 0 ? 'files-shared' : 'files-copied', message }],
    };
  });
}
