import { createHash } from 'node:crypto';
import type { Digest } from '../digest.ts';
import type { Finding } from '../finding.ts';
import { archiveFault, ArchiveFault, shown } from './archive-fault.ts';
import { DATASET_LIMITS, PACKAGE_LIMITS, TEXT_LIMITS, type ArchiveLimits } from './limits.ts';
import { readTarGz, type TarItem } from './tar-reader.ts';

export interface TarEntry {
  /** Relative to `package/`. */
  readonly path: string;
  readonly kind: 'file' | 'directory';
  readonly mode: number;
  readonly size: number;
  /** Of the first data byte in the unpacked tar. */
  readonly offset: number;
  /** Of the file's bytes; of nothing for a folder. */
  readonly sha256: Digest;
}

export interface TarIndex {
  readonly entries: readonly TarEntry[];
  readonly sha256: Digest;
  /** As npm spells it: `sha512-<base64>`. */
  readonly sha512: string;
  readonly packedBytes: number;
  readonly unpackedBytes: number;
  /** The small text files of TEXT_LIMITS that were there. */
  readonly texts: ReadonlyMap<string, string>;
}

/** Digests cover every byte that was sent, up to the packed limit. */
export interface PackageBytes {
  readonly sha256: Digest;
  readonly sha512: string;
  readonly packedBytes: number;
}

export type IndexResult = { readonly index: TarIndex } | { readonly findings: readonly Finding[] };

class Hashing implements AsyncIterator<Uint8Array> {
  bytes = 0;
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #sha256 = createHash('sha256');
  readonly #sha512 = createHash('sha512');

  constructor(source: AsyncIterator<Uint8Array>) {
    this.#source = source;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    const step = await this.#source.next();
    if (step.done !== true) {
      this.bytes += step.value.length;
      this.#sha256.update(step.value);
      this.#sha512.update(step.value);
    }
    return step;
  }

  /** Reads on to the end, or to the limit, so that the digests name the whole upload. */
  async drain(limit: number): Promise<void> {
    while (this.bytes <= limit) {
      const step = await this.next();
      if (step.done === true) return;
    }
    await this.#source.return?.();
  }

  digests(): PackageBytes {
    return {
      sha256: `sha256:${this.#sha256.digest('hex')}`,
      sha512: `sha512-${this.#sha512.digest('base64')}`,
      packedBytes: this.bytes,
    };
  }
}

/** One pass over a package; nothing is written. Never throws for what the archive holds; errors of the source itself pass through. */
export async function indexPackage(
  bytes: AsyncIterable<Uint8Array>,
  limits: ArchiveLimits = PACKAGE_LIMITS,
): Promise<IndexResult> {
  const { result } = await indexWithDigests(bytes, limits);
  return result;
}

export async function indexWithDigests(
  bytes: AsyncIterable<Uint8Array>,
  limits: ArchiveLimits = PACKAGE_LIMITS,
): Promise<{ digests: PackageBytes; result: IndexResult }> {
  const source = new Hashing(bytes[Symbol.asyncIterator]());
  const entries: TarEntry[] = [];
  const texts = new Map<string, string>();
  try {
    const profile = { limits, root: 'package', allowWorldWritable: false };
    for await (const item of readTarGz(source, profile)) entries.push(await indexItem(item, texts));
  } catch (error) {
    if (!(error instanceof ArchiveFault)) throw error;
    await source.drain(limits.packedBytes);
    return { digests: source.digests(), result: { findings: [withBlame(error.finding, entries)] } };
  }
  const digests = source.digests();
  const unpackedBytes = entries.reduce((sum, entry) => sum + entry.size, 0);
  return { digests, result: { index: { entries, ...digests, unpackedBytes, texts } } };
}

async function indexItem(item: TarItem, texts: Map<string, string>): Promise<TarEntry> {
  const hash = createHash('sha256');
  const limit = item.kind === 'file' ? TEXT_LIMITS.get(item.path) : undefined;
  if (limit !== undefined && item.size > limit) {
    throw archiveFault(
      'archive-too-large',
      `${item.path} is larger than ${limit} bytes.`,
      'Shorten it; long material belongs into the documentation.',
      { where: { file: item.path } },
    );
  }
  const kept: Buffer[] = [];
  for await (const part of item.data) {
    hash.update(part);
    if (limit !== undefined) kept.push(part);
  }
  if (limit !== undefined) texts.set(item.path, readText(Buffer.concat(kept), item.path));
  const { path, kind, mode, size, offset } = item;
  return { path, kind, mode, size, offset, sha256: `sha256:${hash.digest('hex')}` };
}

/** Text rule of security.md §3.3: UTF-8 without byte order mark and NUL, because the database refuses the rest. */
function readText(bytes: Buffer, file: string): string {
  const refuse = (what: string): ArchiveFault =>
    archiveFault(
      'text-unsafe',
      `${file} ${what}.`,
      'Save it as UTF-8 without byte order mark and control characters.',
      {
        where: { file },
      },
    );
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refuse('is not valid UTF-8');
  }
  if (text.startsWith('\ufeff')) throw refuse('begins with a byte order mark');
  if (text.includes('\0')) throw refuse('holds a NUL character');
  return text;
}

/** Names the entries that fill the archive, when it is too large or too full. */
function withBlame(finding: Finding, entries: readonly TarEntry[]): Finding {
  if (finding.evidence !== undefined || finding.where !== undefined) return finding;
  if (finding.check === 'archive-too-large') {
    const largest = [...entries].sort((a, b) => b.size - a.size).slice(0, 5);
    const list = largest.map((entry) => `${shown(entry.path)} ${entry.size} bytes`).join(', ');
    return list === '' ? finding : { ...finding, evidence: `largest files so far: ${list}` };
  }
  if (finding.check !== 'archive-too-many-entries') return finding;
  const folders = new Map<string, number>();
  for (const { path } of entries) {
    const folder = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
    folders.set(folder, (folders.get(folder) ?? 0) + 1);
  }
  const [fullest] = [...folders].sort((a, b) => b[1] - a[1]);
  return fullest === undefined
    ? finding
    : { ...finding, evidence: `${shown(fullest[0])} holds ${fullest[1]} of the first ${entries.length}` };
}

export interface StreamedEntry {
  readonly path: string;
  readonly size: number;
  /** Read it before asking for the next entry; what is left is skipped. */
  readonly stream: AsyncIterable<Buffer>;
}

/** Files of a dataset archive in order, under the same rules but without a root folder. Throws ArchiveFault at the first anomaly. */
export async function* iterateTarGz(
  stream: AsyncIterable<Uint8Array>,
  limits: ArchiveLimits = DATASET_LIMITS,
): AsyncGenerator<StreamedEntry, void, undefined> {
  const source = stream[Symbol.asyncIterator]();
  try {
    for await (const item of readTarGz(source, { limits, root: null, allowWorldWritable: true })) {
      if (item.kind === 'file') yield { path: item.path, size: item.size, stream: item.data };
    }
  } finally {
    await source.return?.();
  }
}
