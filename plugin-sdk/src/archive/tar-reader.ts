import type { ArchiveLimits } from './limits.ts';
import { archiveFault, malformed, shown } from './archive-fault.ts';
import { gunzipStrict, notGzipTar } from './gunzip.ts';
import { PathSet, pathProblem } from './safe-path.ts';
import { BLOCK, decodeUtf8, isUstar, isZero, parsePax, parseTarHeader, type TarHeader } from './tar-header.ts';

const MAX_META = 64 * 1024;
const MAX_END_PADDING = 20 * 1024;

/** One entry while the reader stands on it. `data` must be read before the next entry is asked for; what is left is skipped. */
export interface TarItem {
  readonly path: string;
  readonly kind: 'file' | 'directory';
  readonly mode: number;
  readonly size: number;
  /** Of the first data byte in the unpacked tar. */
  readonly offset: number;
  readonly data: AsyncGenerator<Buffer, void, undefined>;
}

class ByteReader {
  position = 0;
  #chunk: Buffer = Buffer.alloc(0);
  #ended = false;
  readonly #source: AsyncIterator<Buffer, unknown, undefined>;

  constructor(source: AsyncIterator<Buffer, unknown, undefined>) {
    this.#source = source;
  }

  /** Up to `most` bytes; null at the end. */
  async some(most: number): Promise<Buffer | null> {
    while (this.#chunk.length === 0) {
      if (this.#ended) return null;
      const step = await this.#source.next();
      if (step.done === true) this.#ended = true;
      else this.#chunk = step.value;
    }
    const part = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(part.length);
    this.position += part.length;
    return part;
  }

  /** Exactly `length` bytes; null when the source ended before the first. */
  async exactly(length: number): Promise<Buffer | null> {
    const first = await this.some(length);
    if (first === null) return null;
    if (first.length === length) return first;
    const parts = [first];
    for (let missing = length - first.length; missing > 0;) {
      const part = await this.some(missing);
      if (part === null) throw malformed('The archive ends in the middle of an entry.', this.position);
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }
}

export interface TarProfile {
  readonly limits: ArchiveLimits;
  /** Folder every entry must lie in, cut off the paths; null = none. */
  readonly root: string | null;
  /** Packages never have world-writable files; datasets from foreign file systems often do, and their modes are never used. */
  readonly allowWorldWritable: boolean;
}

interface Pending {
  path: string | null;
  size: number | null;
}

/** Strict reader of one tar.gz (security.md §3.2). Throws ArchiveFault at the first anomaly. Memory is one window plus the set of paths. */
export async function* readTarGz(
  source: AsyncIterator<Uint8Array>,
  profile: TarProfile,
): AsyncGenerator<TarItem, void, undefined> {
  const plain = gunzipStrict(source, profile.limits);
  const reader = new ByteReader(plain);
  const paths = new PathSet();
  let pending: Pending | null = null;
  let entries = 0;
  let metas = 0;
  let unpacked = 0;
  try {
    for (;;) {
      const at = reader.position;
      const block = await reader.exactly(BLOCK);
      if (block === null) throw malformed('The archive has no end marker.', at);
      if (isZero(block)) {
        if (pending !== null) throw malformed('An extended header is followed by no entry.', at);
        await readEnd(reader);
        return;
      }
      if (at === 0 && !isUstar(block)) throw notGzipTar();
      const header = parseTarHeader(block, at);
      if (header.type === 'x' || header.type === 'g' || header.type === 'L') {
        if (++metas > profile.limits.entries) throw tooMany(profile.limits.entries);
        const read = await readMeta(reader, header, at);
        if (read === null) continue;
        if (pending !== null) throw malformed('Two extended headers stand before one entry.', at);
        pending = read;
        continue;
      }
      if (++entries > profile.limits.entries) throw tooMany(profile.limits.entries);
      const size: number = pending?.size ?? header.size;
      const path = checkPaths(header, pending?.path ?? null, profile, at);
      pending = null;
      checkMode(header, profile, path);
      const kind = header.type === '5' ? 'directory' : 'file';
      if (kind === 'directory' && size !== 0) throw malformed(`The folder ${shown(path)} has a size.`, at);
      if (size > profile.limits.fileBytes)
        throw tooLarge(`${shown(path)} is larger than ${profile.limits.fileBytes} bytes.`);
      unpacked += size;
      if (unpacked > profile.limits.unpackedBytes) {
        throw tooLarge(`The archive unpacks to more than ${profile.limits.unpackedBytes} bytes.`);
      }
      if (path === '') continue;
      const collision = paths.add(path, kind);
      if (collision !== null) {
        throw archiveFault(
          'archive-duplicate',
          `${shown(path)} and ${shown(collision)} are the same place on some systems.`,
          'Keep one of the two entries, or rename one.',
        );
      }
      const body = { missing: size };
      yield { path, kind, mode: header.mode, size, offset: reader.position, data: readData(reader, body) };
      // The consumer may have stopped half way.
      for await (const _rest of readData(reader, body));
      const padding = (BLOCK - (size % BLOCK)) % BLOCK;
      const filler = padding === 0 ? null : await reader.exactly(padding);
      if (padding > 0 && (filler === null || !isZero(filler))) {
        throw malformed('The filling after an entry is missing or not zero.', reader.position);
      }
    }
  } finally {
    await plain.return();
  }
}

async function* readData(reader: ByteReader, body: { missing: number }): AsyncGenerator<Buffer, void, undefined> {
  while (body.missing > 0) {
    const part = await reader.some(body.missing);
    if (part === null) throw malformed('The archive ends in the middle of a file.', reader.position);
    body.missing -= part.length;
    yield part;
  }
}

async function readEnd(reader: ByteReader): Promise<void> {
  const second = await reader.exactly(BLOCK);
  if (second === null || !isZero(second)) throw malformed('The end marker is not two zero blocks.', reader.position);
  let padding = 0;
  for (let rest = await reader.some(BLOCK); rest !== null; rest = await reader.some(BLOCK)) {
    padding += rest.length;
    if (padding > MAX_END_PADDING || !isZero(rest)) throw malformed('Bytes follow the end marker.', reader.position);
  }
}

async function readMeta(reader: ByteReader, header: TarHeader, at: number): Promise<Pending | null> {
  if (header.size === 0 || header.size > MAX_META) throw malformed('An extended header is empty or too long.', at);
  const padded = Math.ceil(header.size / BLOCK) * BLOCK;
  const bytes = await reader.exactly(padded);
  if (bytes === null) throw malformed('The archive ends inside an extended header.', at);
  if (!isZero(bytes.subarray(header.size))) throw malformed('The filling of an extended header is not zero.', at);
  const body = bytes.subarray(0, header.size);
  if (header.type === 'L') {
    if (body[body.length - 1] !== 0) throw malformed('A long name does not end.', at);
    return { path: decodeUtf8(body.subarray(0, -1), 'A long name', at), size: null };
  }
  const records = parsePax(body, header.type === 'g', at);
  if (header.type === 'g') return null;
  const size = records.get('size');
  if (size !== undefined && !/^(0|[1-9][0-9]{0,15})$/.test(size)) throw malformed('A size is not a number.', at);
  return { path: records.get('path') ?? null, size: size === undefined ? null : Number(size) };
}

/** The path without the root folder; '' for the root folder itself. Raw and extended name must both pass, whichever a reader believes. */
function checkPaths(header: TarHeader, extended: string | null, profile: TarProfile, at: number): string {
  const accepted = [extended, header.path]
    .filter((name) => name !== null)
    .map((name) => checkPath(name, header, profile, at));
  return accepted[0] ?? '';
}

function checkPath(name: string, header: TarHeader, profile: TarProfile, at: number): string {
  const trimmed = header.type === '5' && name.endsWith('/') ? name.slice(0, -1) : name;
  const problem = pathProblem(trimmed, profile.limits);
  if (problem !== null) {
    throw archiveFault(
      'archive-unsafe-path',
      `The path ${shown(name)} ${problem}.`,
      'Rename the file or folder: plain relative names only.',
      { evidence: `at byte ${at} of the unpacked archive` },
    );
  }
  if (profile.root === null) return trimmed;
  if (trimmed === profile.root && header.type === '5') return '';
  if (trimmed.startsWith(`${profile.root}/`)) return trimmed.slice(profile.root.length + 1);
  throw archiveFault(
    'archive-layout',
    `${shown(name)} lies outside the folder ${profile.root}/.`,
    'Pack with `trainyard pack` or `npm pack`: everything lies in one folder named package/.',
  );
}

function checkMode(header: TarHeader, profile: TarProfile, path: string): void {
  const refused = profile.allowWorldWritable ? 0o7000 : 0o7002;
  if (header.mode <= 0o7777 && (header.mode & refused) === 0) return;
  const wanted = header.type === '5' || (header.mode & 0o100) !== 0 ? '755' : '644';
  throw archiveFault(
    'archive-mode',
    `${shown(path)} has the mode ${header.mode.toString(8)}: special or world-writable bits.`,
    `Run \`chmod ${wanted}\` on it and pack again.`,
  );
}

function tooMany(limit: number): Error {
  return archiveFault(
    'archive-too-many-entries',
    `The archive has more than ${limit} entries.`,
    'Leave out what the trainer does not need at run time, for instance with .npmignore.',
  );
}

function tooLarge(message: string): Error {
  return archiveFault(
    'archive-too-large',
    message,
    'Move weights and data out of the archive: into the image, or to a mirror.',
  );
}
