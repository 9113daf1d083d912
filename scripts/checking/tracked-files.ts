import { execFileSync } from 'node:child_process';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';

/** Files of the repository, tracked or about to be; links (the vendored SDK copies) are not files of their own. */
export function trackedFiles(root: string): string[] {
  const options = { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 } as const;
  const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], options);
  return [...new Set(list.split('\0'))].filter((file) => {
    if (file === '') return false;
    return lstatSync(join(root, file), { throwIfNoEntry: false })?.isFile() === true;
  });
}
