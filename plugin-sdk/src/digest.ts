import { createHash } from 'node:crypto';

export type Digest = `sha256:${string}`;
export const DIGEST_PATTERN = '^sha256:[0-9a-f]{64}$';

export function sha256(bytes: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && /^sha256:[0-9a-f]{64}$/.test(text);
}

/** RFC 8785 for the values we hash: objects with sorted keys, no undefined. Numbers follow ECMAScript, which is what RFC 8785 asks for. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

/** Directory digest of contract.md §5.8: sha256 over the lines `<sha256>  <bytes>  <path>\n`, sorted by path. Digests without prefix. */
export function directoryDigest(files: readonly { path: string; bytes: number; sha256: string }[]): string {
  const lines = [...files]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map((file) => `${file.sha256}  ${file.bytes}  ${file.path}\n`);
  return createHash('sha256').update(lines.join('')).digest('hex');
}

/** Snapshot digest (performance.md §6.4): sha256 over 256 shard digests; an entry lives in the shard of the first byte of sha256(path). */
export function snapshotDigest(files: readonly { path: string; sha256: string; bytes: number }[]): Digest {
  const shards: string[][] = Array.from({ length: 256 }, () => []);
  const sorted = [...files].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  for (const file of sorted) {
    const shard = createHash('sha256').update(file.path).digest()[0] ?? 0;
    shards[shard]?.push(`${file.path}\0${file.sha256.replace('sha256:', '')}\0${file.bytes}\n`);
  }
  const root = createHash('sha256');
  for (const shard of shards) root.update(createHash('sha256').update(shard.join('')).digest());
  return `sha256:${root.digest('hex')}`;
}
