import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib';
import type { ArchiveLimits } from './limits.ts';
import { archiveFault, malformed } from './archive-fault.ts';

const FLAG = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;
const MAX_HEADER = 4096;
const MAX_PADDING = 512;

export function notGzipTar(): Error {
  return archiveFault(
    'unsupported-media',
    'This is not a gzip-compressed tar archive.',
    'Packages: pack with `trainyard pack`. Datasets: send a .tar.gz or a .zip.',
  );
}

/** Length of the gzip header, or null when more bytes are needed. */
function headerLength(bytes: Buffer): number | null {
  if (bytes.length < 2) return null;
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) throw notGzipTar();
  if (bytes.length < 10) return null;
  const flags = bytes[3] ?? 0;
  if (bytes[2] !== 8) throw malformed('The gzip method is not deflate.');
  if ((flags & FLAG.extra) !== 0) throw malformed('The gzip header has an extra field.');
  if ((flags & FLAG.reserved) !== 0) throw malformed('The gzip header uses reserved flags.');
  let at = 10;
  for (const flag of [FLAG.name, FLAG.comment]) {
    if ((flags & flag) === 0) continue;
    const end = bytes.indexOf(0, at);
    if (end === -1) {
      if (bytes.length > MAX_HEADER) throw malformed('The gzip header is too long.');
      return null;
    }
    at = end + 1;
  }
  if ((flags & FLAG.headerCrc) !== 0) at += 2;
  return bytes.length < at ? null : at;
}

/** Resolves when the chunk was taken or the engine has ended. */
function write(inflate: InflateRaw, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      inflate.off('end', done);
      inflate.off('close', done);
      resolve();
    };
    inflate.once('end', done);
    inflate.once('close', done);
    inflate.write(chunk, done);
  });
}

class Feed {
  packed = 0;
  /** Bytes after the compressed data: checksum, length, padding. */
  tail: Buffer = Buffer.alloc(0);
  error: unknown;
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #limits: ArchiveLimits;

  constructor(source: AsyncIterator<Uint8Array>, limits: ArchiveLimits) {
    this.#source = source;
    this.#limits = limits;
  }

  async next(): Promise<Buffer | null> {
    const step = await this.#source.next();
    if (step.done === true) return null;
    const chunk = Buffer.from(step.value.buffer, step.value.byteOffset, step.value.byteLength);
    this.packed += chunk.length;
    if (this.packed > this.#limits.packedBytes) {
      throw archiveFault(
        'archive-too-large',
        `The archive is larger than ${this.#limits.packedBytes} bytes.`,
        'Move weights and data out of the archive: into the image, or to a mirror.',
      );
    }
    return chunk;
  }

  async run(inflate: InflateRaw): Promise<void> {
    let head: Buffer = Buffer.alloc(0);
    let start: number | null = null;
    while (start === null) {
      const chunk = await this.next();
      if (chunk === null) throw head.length < 2 ? notGzipTar() : malformed('The archive ends inside the gzip header.');
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      start = headerLength(head);
    }
    let chunk: Buffer | null = head.subarray(start);
    let fed = 0;
    while (chunk !== null && !inflate.readableEnded && !inflate.destroyed) {
      if (chunk.length > 0) {
        fed += chunk.length;
        await write(inflate, chunk);
      }
      const unread = fed - inflate.bytesWritten;
      if (unread > 0 || inflate.readableEnded) {
        this.#keep(chunk.subarray(chunk.length - unread));
        break;
      }
      chunk = await this.next();
    }
    if (inflate.destroyed && !inflate.readableEnded) return;
    if (chunk === null) inflate.end();
    for (let rest = await this.next(); rest !== null; rest = await this.next()) this.#keep(rest);
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.tail = Buffer.concat([this.tail, bytes]);
    if (this.tail.length > 8 + MAX_PADDING) throw trailing(this.tail);
  }
}

function trailing(tail: Buffer): Error {
  const second = tail[8] === 0x1f && tail[9] === 0x8b;
  return malformed(second ? 'A second gzip member follows the first.' : 'Bytes follow the end of the gzip data.');
}

/**
 * Unpacks exactly one gzip member and refuses everything beside it. Chunks come in order; one consumer. The source is read to its end but never
 * closed here, so that a caller who hashes it can go on after a refusal.
 */
export async function* gunzipStrict(
  source: AsyncIterator<Uint8Array>,
  limits: ArchiveLimits,
): AsyncGenerator<Buffer, void, undefined> {
  const inflate = createInflateRaw({ chunkSize: 64 * 1024 });
  const feed = new Feed(source, limits);
  const feeding = feed.run(inflate).catch((error: unknown) => {
    feed.error = error;
    inflate.destroy();
  });
  let crc = 0;
  let unpacked = 0;
  try {
    for await (const chunk of inflate) {
      const bytes: Buffer = chunk;
      crc = crc32(bytes, crc);
      unpacked += bytes.length;
      if (unpacked > limits.ratioFrom && unpacked > limits.ratio * feed.packed) {
        throw archiveFault(
          'archive-too-large',
          `The archive unpacks to more than ${limits.ratio} times its size.`,
          'Remove the files that are almost empty or repeat themselves.',
        );
      }
      yield bytes;
    }
    await feeding;
  } catch (error) {
    if (feed.error !== undefined) throw feed.error;
    throw isZlibError(error) ? malformed(`The compressed data is damaged (${error.code}).`) : error;
  } finally {
    inflate.destroy();
  }
  if (feed.error !== undefined) throw feed.error;
  if (feed.tail.length < 8) throw malformed('The archive ends before its checksum.');
  if (feed.tail.readUInt32LE(0) !== crc) throw malformed('The gzip checksum does not match.');
  if (feed.tail.readUInt32LE(4) !== unpacked % 2 ** 32) throw malformed('The gzip length does not match.');
  if (feed.tail.subarray(8).some((byte) => byte !== 0)) throw trailing(feed.tail);
}

function isZlibError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^(Z_|ERR_)/.test(error.code);
}
