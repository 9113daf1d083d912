import { open, type FileHandle } from 'node:fs/promises';
import type { Finding } from '../finding.ts';
import { archiveFault, ArchiveFault, malformed, shown } from './archive-fault.ts';
import { DATASET_LIMITS, type ArchiveLimits } from './limits.ts';
import { PathSet, pathProblem } from './safe-path.ts';
import {
  bigToNumber,
  CENTRAL_SIZE,
  centralLength,
  END_SIZE,
  FULL16,
  FULL32,
  LOCAL_SIZE,
  localLength,
  parseCentral,
  parseLocal,
  SIGNATURE,
  STREAMED,
  type CentralHeader,
} from './zip-records.ts';

export interface ZipEntry {
  readonly path: string;
  readonly size: number;
  readonly compressedSize: number;
  /** 0 stored, 8 deflated. */
  readonly method: 0 | 8;
  /** Of the first data byte in the file. */
  readonly offset: number;
  readonly crc32: number;
}

export type ZipIndexResult = { readonly entries: readonly ZipEntry[] } | { readonly findings: readonly Finding[] };

/** Reads at a position through one window, so that neighbours cost one call. */
class Window {
  readonly #file: FileHandle;
  readonly #size: number;
  #start = 0;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** Up to `length` bytes; fewer at the end of the file. */
  async read(from: number, length: number): Promise<Buffer> {
    if (from < 0 || from > this.#size) throw malformed('A position lies outside the file.');
    const to = Math.min(from + length, this.#size);
    if (from < this.#start || to > this.#start + this.#bytes.length) {
      const bytes = Buffer.alloc(Math.min(Math.max(length, 16 * 1024), this.#size - from));
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await this.#file.read(bytes, filled, bytes.length - filled, from + filled);
        if (bytesRead === 0) throw malformed('The file became shorter while it was read.');
        filled += bytesRead;
      }
      this.#start = from;
      this.#bytes = bytes;
    }
    return this.#bytes.subarray(from - this.#start, to - this.#start);
  }
}

/**
 * Index of a zip file, files only. The central directory is compared with every local header; entries lie one after the other without gap or overlap
 * from the first byte of the file to the directory (security.md §3.2). Nothing is unpacked. Never throws for what the archive holds.
 */
export async function indexZip(path: string, limits: ArchiveLimits = DATASET_LIMITS): Promise<ZipIndexResult> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    return { entries: await index(new Window(file, size), size, limits) };
  } catch (error) {
    if (error instanceof ArchiveFault) return { findings: [error.finding] };
    throw error;
  } finally {
    await file.close();
  }
}

async function index(window: Window, size: number, limits: ArchiveLimits): Promise<ZipEntry[]> {
  if (size > limits.packedBytes) throw tooLarge(`The archive is larger than ${limits.packedBytes} bytes.`);
  const directory = await findDirectory(window, size);
  if (directory.entries > limits.entries) throw tooMany(limits.entries);
  const headers = await readDirectory(window, directory, limits);
  const inFileOrder = headers.map((_, i) => i).sort((a, b) => (headers[a]?.offset ?? 0) - (headers[b]?.offset ?? 0));
  const starts = new Map<number, number>();
  let expected = 0;
  for (const [i, at] of inFileOrder.entries()) {
    const header = headers[at];
    if (header === undefined) continue;
    if (header.offset !== expected) {
      throw malformed(`Entries overlap, leave a gap, or something stands before ${shown(header.name)}.`);
    }
    const next = headers[inFileOrder[i + 1] ?? -1]?.offset ?? directory.offset;
    starts.set(at, await checkLocal(window, header, next));
    expected = next;
  }
  if (expected !== directory.offset) throw malformed('Something stands before the list of entries.');
  return headers.flatMap((header, at) => {
    if (header.name.endsWith('/')) return [];
    const { name, size: bytes, compressedSize, method, crc32 } = header;
    return [{ path: name, size: bytes, compressedSize, method, offset: starts.get(at) ?? 0, crc32 }];
  });
}

interface Directory {
  readonly offset: number;
  readonly end: number;
  readonly entries: number;
}

async function findDirectory(window: Window, size: number): Promise<Directory> {
  const start = await window.read(0, 4);
  const first = start.length === 4 ? start.readUInt32LE(0) : 0;
  if (size < END_SIZE || (first !== SIGNATURE.local && first !== SIGNATURE.end)) {
    throw archiveFault('unsupported-media', 'This is not a zip archive.', 'Send a .zip or a .tar.gz.');
  }
  const tailStart = Math.max(0, size - END_SIZE - FULL16);
  const tail = Buffer.from(await window.read(tailStart, size - tailStart));
  const ends: number[] = [];
  for (let at = tail.length - END_SIZE; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== SIGNATURE.end) continue;
    if (at + END_SIZE + tail.readUInt16LE(at + 20) === tail.length) ends.push(at);
  }
  const at = ends[0];
  if (at === undefined) throw malformed('The archive is cut off, or bytes follow its end.');
  if (ends.length > 1) throw malformed('The archive has more than one end record.');
  const end = tail.subarray(at);
  if (end.readUInt16LE(4) !== 0 && end.readUInt16LE(4) !== FULL16)
    throw malformed('The archive is split into several files.');
  const plain = {
    entries: end.readUInt16LE(10),
    bytes: end.readUInt32LE(12),
    offset: end.readUInt32LE(16),
  };
  if (end.readUInt16LE(8) !== plain.entries) throw malformed('The numbers of entries differ.');
  const endOffset = tailStart + at;
  const wide = await readEnd64(window, endOffset);
  const merged = wide ?? { ...plain, start: endOffset };
  const agree = (narrow: number, full: number, value: number): boolean =>
    narrow === value || (wide !== null && narrow === full);
  if (
    !agree(plain.entries, FULL16, merged.entries) ||
    !agree(plain.bytes, FULL32, merged.bytes) ||
    !agree(plain.offset, FULL32, merged.offset)
  ) {
    throw malformed('The two end records disagree.');
  }
  if (merged.offset + merged.bytes !== merged.start)
    throw malformed('The list of entries does not lie where the end record says.');
  return { offset: merged.offset, end: merged.start, entries: merged.entries };
}

async function readEnd64(
  window: Window,
  endOffset: number,
): Promise<{ entries: number; bytes: number; offset: number; start: number } | null> {
  if (endOffset < 20) return null;
  const locator = Buffer.from(await window.read(endOffset - 20, 20));
  if (locator.readUInt32LE(0) !== SIGNATURE.locator64) return null;
  if (locator.readUInt32LE(4) !== 0 || locator.readUInt32LE(16) > 1)
    throw malformed('The archive is split into several files.');
  const start = bigToNumber(locator.readBigUInt64LE(8), 'The zip64 end record');
  if (start + 56 !== endOffset - 20) throw malformed('The zip64 end record does not lie before its locator.');
  const record = await window.read(start, 56);
  if (record.readUInt32LE(0) !== SIGNATURE.end64 || record.readBigUInt64LE(4) !== 44n) {
    throw malformed('The zip64 end record is damaged.');
  }
  if (record.readBigUInt64LE(24) !== record.readBigUInt64LE(32)) throw malformed('The numbers of entries differ.');
  return {
    entries: bigToNumber(record.readBigUInt64LE(32), 'The number of entries'),
    bytes: bigToNumber(record.readBigUInt64LE(40), 'The size of the list'),
    offset: bigToNumber(record.readBigUInt64LE(48), 'The list of entries'),
    start,
  };
}

async function readDirectory(window: Window, directory: Directory, limits: ArchiveLimits): Promise<CentralHeader[]> {
  const headers: CentralHeader[] = [];
  const paths = new PathSet();
  let unpacked = 0;
  let packed = 0;
  let at = directory.offset;
  while (at < directory.end) {
    const fixed = await window.read(at, CENTRAL_SIZE);
    if (fixed.length < CENTRAL_SIZE) throw malformed('The list of entries is cut off.');
    const length = centralLength(fixed);
    if (at + length > directory.end) throw malformed('The list of entries is cut off.');
    const header = parseCentral(await window.read(at, length));
    checkEntry(header, paths, limits);
    unpacked += header.size;
    packed += header.compressedSize;
    if (unpacked > limits.unpackedBytes)
      throw tooLarge(`The archive unpacks to more than ${limits.unpackedBytes} bytes.`);
    headers.push(header);
    if (headers.length > directory.entries) throw malformed('There are more entries than the end record says.');
    at += length;
  }
  if (headers.length !== directory.entries) throw malformed('There are fewer entries than the end record says.');
  if (unpacked > limits.ratioFrom && unpacked > limits.ratio * packed) {
    throw tooLarge(`The archive unpacks to more than ${limits.ratio} times its size.`);
  }
  return headers;
}

function checkEntry(header: CentralHeader, paths: PathSet, limits: ArchiveLimits): void {
  const directory = header.name.endsWith('/');
  const path = directory ? header.name.slice(0, -1) : header.name;
  const problem = pathProblem(path, limits);
  if (problem !== null) {
    const fix = 'Rename the file or folder: plain relative names only.';
    throw archiveFault('archive-unsafe-path', `The path ${shown(header.name)} ${problem}.`, fix);
  }
  const kind = header.mode & 0o170000;
  if (kind === 0o120000) {
    throw archiveFault('archive-link', `${shown(path)} is a link.`, 'Replace the link by the file it points to.');
  }
  if (kind !== 0 && kind !== (directory ? 0o040000 : 0o100000)) {
    throw archiveFault('archive-entry-type', `${shown(path)} is neither a file nor a folder.`, 'Remove the entry.');
  }
  if ((header.mode & 0o7000) !== 0) {
    throw archiveFault(
      'archive-mode',
      `${shown(path)} has special mode bits.`,
      'Run `chmod 644` on it and pack again.',
    );
  }
  if (directory && (header.size !== 0 || header.compressedSize > 2))
    throw malformed(`The folder ${shown(path)} has data.`);
  if (header.method === 0 && header.size !== header.compressedSize)
    throw malformed(`The sizes of ${shown(path)} differ.`);
  if (header.size > limits.fileBytes) throw tooLarge(`${shown(path)} is larger than ${limits.fileBytes} bytes.`);
  const collision = paths.add(path, directory ? 'directory' : 'file');
  if (collision === null) return;
  const message = `${shown(path)} and ${shown(collision)} are the same place on some systems.`;
  throw archiveFault('archive-duplicate', message, 'Keep one of the two entries, or rename one.');
}

/** Offset of the data. `next` is where the following entry begins. */
async function checkLocal(window: Window, header: CentralHeader, next: number): Promise<number> {
  const fixed = await window.read(header.offset, LOCAL_SIZE);
  const length = localLength(fixed);
  const local = parseLocal(await window.read(header.offset, length));
  const streamed = (header.flags & STREAMED) !== 0;
  const equal = (own: number, listed: number): boolean => own === listed || (streamed && own === 0);
  if (
    !local.rawName.equals(header.rawName) ||
    local.flags !== header.flags ||
    local.method !== header.method ||
    !equal(local.crc32, header.crc32) ||
    !equal(local.size, header.size) ||
    !equal(local.compressedSize, header.compressedSize)
  ) {
    throw malformed(`The entry ${shown(header.name)} differs from the list of entries.`);
  }
  const data = header.offset + length;
  const rest = next - data - header.compressedSize;
  if (rest === 0 && !streamed) return data;
  if (!streamed || !isDescriptor(await window.read(next - Math.max(rest, 0), Math.max(rest, 0)), header, rest)) {
    throw malformed(`Entries overlap or leave a gap at ${shown(header.name)}.`);
  }
  return data;
}

/** The record after streamed data: checksum and both sizes, 4 or 8 bytes wide, with or without signature. */
function isDescriptor(bytes: Buffer, header: CentralHeader, length: number): boolean {
  if (![12, 16, 20, 24].includes(length) || bytes.length !== length) return false;
  const signed = length === 16 || length === 24;
  if (signed && bytes.readUInt32LE(0) !== SIGNATURE.descriptor) return false;
  const body = bytes.subarray(signed ? 4 : 0);
  if (body.readUInt32LE(0) !== header.crc32) return false;
  return body.length === 12
    ? body.readUInt32LE(4) === header.compressedSize && body.readUInt32LE(8) === header.size
    : body.readBigUInt64LE(4) === BigInt(header.compressedSize) && body.readBigUInt64LE(12) === BigInt(header.size);
}

function tooLarge(message: string): Error {
  return archiveFault('archive-too-large', message, 'Split the dataset, or leave out files that repeat themselves.');
}

function tooMany(limit: number): Error {
  return archiveFault('archive-too-many-entries', `The archive has more than ${limit} entries.`, 'Split the dataset.');
}
