/** What a requirements file with hashes says: enough to count and to tell people what comes. */
export interface LockedPackages {
  /** Entries, those for other platforms included. */
  readonly count: number;
  readonly names: readonly string[];
  /** First entry without a hash or an exact version; null when every entry has both. */
  readonly unpinned: string | null;
}

export function readLockFile(text: string): LockedPackages {
  const logical = text.replaceAll(/\\\r?\n/g, ' ').split(/\r?\n/);
  const entries = logical
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('-'));
  const names = entries.map((entry) => /^[A-Za-z0-9][\w.-]*/.exec(entry)?.[0] ?? entry.slice(0, 40));
  const loose = entries.findIndex((entry) => !/--hash=\w+:/.test(entry) || !/===?|\s@\s/.test(entry));
  return { count: entries.length, names, unpinned: loose === -1 ? null : (names[loose] ?? '') };
}
