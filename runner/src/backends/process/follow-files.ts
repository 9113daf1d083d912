import { constants } from 'node:fs';
import { open, readlink, realpath, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { lookAt } from './look-at.ts';
import { OUTPUT_STREAMS, type Mark, type Marks, type Output, type OutputStream } from '../backend.ts';

/** What has run for long is looked at less often, up to this many times the pause. */
const SLOWEST = 5;
/** Share of its age that an execution is left alone. */
const AGE_SHARE = 1 / 40;
/** Pause before the next look at something that has been looked at for `age`; all in milliseconds. */
export function pauseAt(age: number, pollMs: number): number {
  return Math.min(SLOWEST * pollMs, Math.max(pollMs, age * AGE_SHARE));
}

/** Most bytes of one piece, and of one stream before the others get their turn. */
const PIECE_BYTES = 256 * 1024;
const TURN_BYTES = 1024 * 1024;

export interface FollowedFiles {
  readonly paths: Readonly<Record<OutputStream, string>>;
  /** A file whose real place is elsewhere is not read: the trainer could have put a link there. */
  readonly within: Readonly<Record<OutputStream, string>>;
}

/** Reads growing files from marks on, until `ended` says that nobody writes any more and everything was read. */
export async function* followFiles(
  files: FollowedFiles,
  from: Marks,
  ended: () => Promise<boolean>,
  pollMs: number,
): AsyncGenerator<Output> {
  const order: readonly OutputStream[] = ['events', ...OUTPUT_STREAMS.filter((stream) => stream !== 'events')];
  const cursors = order.map(
    (stream) => new FileCursor(stream, files.paths[stream], files.within[stream], from[stream]),
  );
  const begun = performance.now();
  try {
    for (;;) {
      const last = await ended(); // asked before reading: what was written until then is read in this round
      let pieces = 0;
      for (const cursor of cursors) {
        for await (const piece of cursor.turn()) {
          pieces += 1;
          yield piece;
        }
      }
      if (pieces > 0) continue;
      if (last) return;
      await sleep(pauseAt(performance.now() - begun, pollMs));
    }
  } finally {
    await Promise.all(cursors.map((cursor) => cursor.close()));
  }
}

class FileCursor {
  readonly stream: OutputStream;
  readonly #path: string;
  readonly #within: string;
  #offset: number;
  #generation: number;
  #file: FileHandle | null = null;
  #inode = 0;
  #device = 0;

  constructor(stream: OutputStream, path: string, within: string, mark: Mark = { offset: 0, generation: 0 }) {
    this.stream = stream;
    this.#path = path;
    this.#within = within;
    this.#offset = mark.offset;
    this.#generation = mark.generation;
  }

  async *turn(): AsyncGenerator<Output> {
    try {
      yield* this.#read();
    } catch {
      await this.close(); // a broken source is tried again in the next round
    }
  }

  async *#read(): AsyncGenerator<Output> {
    const seen = lookAt(this.#path);
    if (seen === null && this.#file === null) return;
    // Most looks end here: the file is the one that is open, and nothing was added.
    const same = this.#file !== null && seen?.ino === this.#inode && seen.dev === this.#device;
    if (same && seen.size === this.#offset) return;
    const file = same ? this.#file : await this.#current();
    if (file === null) return;
    const size = (await file.stat()).size;
    if (size < this.#offset) this.#restart();
    for (let taken = 0; taken < TURN_BYTES && this.#offset < size;) {
      const want = Math.min(PIECE_BYTES, size - this.#offset);
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(want), 0, want, this.#offset);
      if (bytesRead === 0) return;
      const piece = { stream: this.stream, generation: this.#generation, offset: this.#offset };
      this.#offset += bytesRead;
      taken += bytesRead;
      yield { ...piece, bytes: buffer.subarray(0, bytesRead) };
    }
  }

  /** The open file, or its successor when the path now names another one. */
  async #current(): Promise<FileHandle | null> {
    const next = await this.#open();
    if (next === null) return this.#file;
    const { ino: inode, dev: device } = await next.stat();
    if (this.#file !== null && inode === this.#inode && device === this.#device) {
      await next.close();
      return this.#file;
    }
    if (this.#file !== null) this.#restart();
    await this.close();
    this.#file = next;
    this.#inode = inode;
    this.#device = device;
    return next;
  }

  async #open(): Promise<FileHandle | null> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await open(this.#path, flags).catch(() => null);
    if (file === null) return null;
    const place = await readlink(`/proc/self/fd/${file.fd}`).catch(() => '');
    const within = await realpath(this.#within).catch(() => null);
    if ((await file.stat()).isFile() && within !== null && place.startsWith(`${within}/`)) return file;
    await file.close();
    return null;
  }

  #restart(): void {
    this.#offset = 0;
    this.#generation += 1;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close().catch(() => undefined);
  }
}
