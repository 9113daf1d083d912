/** What a requirements file with hashes says: enough to count and to tell people what comes. */
export interface LockedPackages {
  /** Entries, those for other platforms included. */
  readonly count: number;
  readonly names: readonly string[];
  /** First entry without a hash or an exact version; null when every entry has both. */
  readonly unpinned: string | null;
  /** Names no other file: no options of their own line (`-r other.txt`), no paths or addresses. */
  readonly isSelfContained: boolean;
}

export function readLockFile(text: string): LockedPackages {
  const logical = text.replaceAll(/\\\r?\n/g, ' ').split(/\r?\n/);
  const lines = logical.map((line) => line.replace(/(^|\s)#.*$/, '').trim()).filter((line) => line !== '');
  const entries = lines.filter((line) => !line.startsWith('-'));
  const names = entries.map((entry) => /^[A-Za-z0-9][\w.-]*/.exec(entry)?.[0] ?? entry.slice(0, 40));
  const loose = entries.findIndex((entry) => !/--hash=\w+:/.test(entry) || !/===?|\s@\s/.test(entry));
  const isSelfContained = lines.every((line) => !line.startsWith('-') && !/^\S*[/\\]|\s@\s/.test(line));
  return { count: entries.length, names, unpinned: loose === -1 ? null : (names[loose] ?? ''), isSelfContained };
}
