import { open, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import { malformed, shown } from './archive-fault.ts';
import type { ZipEntry } from './zip-index.ts';

const CHUNK = 256 * 1024;

/**
 * Bytes of one indexed entry; the stream fails with ArchiveFault unless size and checksum are as indexed. With an open file the caller keeps and closes
 * it, and several entries may be read at the same time.
 */
export function readZipEntry(source: string | FileHandle, entry: ZipEntry): Readable {
  return Readable.from(checked(plain(source, entry), entry), { objectMode: false });
}

async function* packed(source: string | FileHandle, entry: ZipEntry): AsyncGenerator<Buffer, void, undefined> {
  const file = typeof source === 'string' ? await open(source, 'r') : source;
  try {
    for (let done = 0; done < entry.compressedSize;) {
      const bytes = Buffer.allocUnsafe(Math.min(CHUNK, entry.compressedSize - done));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, entry.offset + done);
      if (bytesRead === 0) throw malformed(`The archive ends inside ${shown(entry.path)}.`);
      done += bytesRead;
      yield bytes.subarray(0, bytesRead);
    }
  } finally {
    if (typeof source === 'string') await file.close();
  }
}

async function* plain(source: string | FileHandle, entry: ZipEntry): AsyncGenerator<Buffer, void, undefined> {
  if (entry.method === 0) {
    yield* packed(source, entry);
    return;
  }
  const inflate = createInflateRaw();
  const input = Readable.from(packed(source, entry), { objectMode: false });
  input.on('error', (error) => inflate.destroy(error));
  input.pipe(inflate);
  try {
    for await (const chunk of inflate) {
      const bytes: Buffer = chunk;
      yield bytes;
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) {
      throw malformed(`The data of ${shown(entry.path)} is damaged.`);
    }
    throw error;
  } finally {
    input.destroy();
    inflate.destroy();
  }
  if (inflate.bytesWritten !== entry.compressedSize) throw malformed(`Bytes follow the data of ${shown(entry.path)}.`);
}

async function* checked(source: AsyncIterable<Buffer>, entry: ZipEntry): AsyncGenerator<Buffer, void, undefined> {
  let size = 0;
  let crc = 0;
  for await (const bytes of source) {
    size += bytes.length;
    if (size > entry.size) throw malformed(`${shown(entry.path)} is larger than the archive says.`);
    crc = crc32(bytes, crc);
    yield bytes;
  }
  if (size !== entry.size) throw malformed(`${shown(entry.path)} is smaller than the archive says.`);
  if (crc !== entry.crc32) throw malformed(`The checksum of ${shown(entry.path)} does not match.`);
}
