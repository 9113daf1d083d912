import { spawnSync } from 'node:child_process';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A file system of a few kilobytes for checkpoints/. Only root may mount one. */
export class SmallDisk {
  readonly #folder: string;
  readonly problem: string | null;

  private constructor(folder: string, problem: string | null) {
    this.#folder = folder;
    this.problem = problem;
  }

  static async mount(jobFolder: string, bytes: number): Promise<SmallDisk> {
    const folder = join(jobFolder, 'checkpoints');
    await mkdir(folder, { recursive: true });
    if (process.getuid?.() !== 0) return new SmallDisk(folder, 'only root can make a small disk here');
    const { status, stderr } = spawnSync(
      'mount',
      ['-t', 'tmpfs', '-o', `size=${bytes},mode=777,nosuid,nodev`, 'none', folder],
      {
        encoding: 'utf8',
      },
    );
    return new SmallDisk(folder, status === 0 ? null : (stderr?.trim() ?? 'mount is not there'));
  }

  /** What is on it goes to `checkpoints-left/`. */
  async unmount(): Promise<void> {
    if (this.problem !== null) return;
    await cp(this.#folder, `${this.#folder}-left`, { recursive: true }).catch(() => undefined);
    unmount(this.#folder);
  }
}

function unmount(folder: string): void {
  spawnSync('umount', ['-l', folder], { stdio: 'ignore' });
}

/** Small disks of a validator that was killed: a folder cannot be removed while something is mounted in it. */
export async function unmountBelow(folder: string): Promise<void> {
  const mounts = await readFile('/proc/mounts', 'utf8').catch(() => '');
  for (const line of mounts.split('\n')) {
    const path = (line.split(' ')[1] ?? '').replaceAll('\\040', ' ');
    if (path.startsWith(`${folder}/`)) unmount(path);
  }
}
