import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { archiveSize } from './archive-size.ts';
import { describe, DownloadSize, type Estimate } from './download-size.ts';
import { writtenBytes } from './written-bytes.ts';

export interface EnvironmentProgress {
  readonly phase: 'resolve' | 'download' | 'install';
  /** Packages. */
  readonly done: number;
  readonly total: number;
  /** Arrived so far, and all that is known to come; packed, as it is downloaded. */
  readonly bytes?: number;
  readonly totalBytes?: number;
  /** By bytes where they are known, else by packages: 0 to 1. */
  readonly fraction?: number;
  readonly secondsLeft?: number;
  /** For people: "Downloading Python packages: 41 of 60 (1.2 of 2.6 GB, about 4 min left)". */
  readonly sentence: string;
}

const POLL_MS = 500;

/**
 * Progress of an installer, from what it leaves on disk: its lines change between versions, packages in folders do not. Its lines only tell the
 * phase, sizes and how many packages really apply here. Big packages have tens of thousands of files, and this looks twice a second: it lists two
 * folders and asks the kernel how much was written, and never walks through files.
 */
export class BuildProgress {
  readonly #cache: string;
  readonly #environment: string;
  readonly #report: (progress: EnvironmentProgress) => void;
  readonly #sizes = new Map<string, number>();
  readonly #download: DownloadSize;
  #before: ReadonlySet<string> = new Set();
  #phase: EnvironmentProgress['phase'] = 'resolve';
  #total: number;
  #installer: number | null = null;
  #last = '';
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> = Promise.resolve();

  constructor(cache: string, environment: string, total: number, report: (progress: EnvironmentProgress) => void) {
    this.#cache = cache;
    this.#environment = environment;
    this.#total = total;
    this.#report = report;
    this.#download = new DownloadSize();
  }

  async begin(): Promise<void> {
    this.#before = new Set(await this.#archives());
    this.#tell(0, undefined);
    this.#timer = setInterval(() => {
      this.#looking = this.#looking.then(() => this.#look());
    }, POLL_MS);
    this.#timer.unref();
  }

  /** Whose writing counts from now on. */
  installer(pid: number): void {
    this.#installer = pid;
  }

  line(text: string): void {
    this.#download.line(text);
    const resolved = /^Resolved (\d+) package/.exec(text);
    if (resolved !== null) this.#total = Number(resolved[1]);
    if (resolved !== null || /^\s*Downloading /.test(text)) this.#phase = 'download';
    if (/^(Prepared \d+ package|Installing collected packages)/.test(text)) this.#phase = 'install';
  }

  async end(ok: boolean): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#looking;
    if (!ok) return;
    this.#phase = 'install';
    this.#total = await this.#installed();
    this.#tell(this.#total, undefined);
  }

  async #look(): Promise<void> {
    const installed = await this.#installed();
    if (installed > 0) this.#phase = 'install';
    if (this.#phase !== 'download') return this.#tell(installed, undefined);
    const fresh = (await this.#archives()).filter((path) => !this.#before.has(path));
    let unpacked = 0;
    for (const path of fresh) {
      const size = this.#sizes.get(path) ?? (await archiveSize(path));
      this.#sizes.set(path, size);
      unpacked += size;
    }
    const written = this.#installer === null ? null : await writtenBytes(this.#installer);
    this.#tell(fresh.length, this.#download.estimate(unpacked, written ?? unpacked));
  }

  /** Unpacked packages in the cache. */
  async #archives(): Promise<readonly string[]> {
    const store = join(this.#cache, 'archive-v0');
    return (await readdir(store).catch(() => [])).map((name) => join(store, name));
  }

  async #installed(): Promise<number> {
    const lib = join(this.#environment, 'lib');
    const pythons = (await readdir(lib).catch(() => [])).filter((name) => name.startsWith('python'));
    const lists = await Promise.all(pythons.map((name) => readdir(join(lib, name, 'site-packages')).catch(() => [])));
    return lists.flat().filter((name) => name.endsWith('.dist-info')).length;
  }

  #tell(done: number, size: Estimate | undefined): void {
    const shown = Math.min(done, this.#total);
    const detail = size === undefined || size.bytes < 1_000_000 ? '' : ` (${describe(size)})`;
    const sentence =
      this.#phase === 'resolve'
        ? `Looking up ${this.#total} Python packages`
        : `${this.#phase === 'download' ? 'Downloading' : 'Installing'} Python packages: ${shown} of ${this.#total}${detail}`;
    if (sentence === this.#last) return;
    this.#last = sentence;
    this.#report({ phase: this.#phase, done: shown, total: this.#total, sentence, ...size });
  }
}
