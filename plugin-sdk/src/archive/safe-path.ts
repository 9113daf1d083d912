/**
 * The one path rule of archives (security.md §3.2): what passes names the same file on every system and never leaves its folder.
 */

// Control, zero-width, bidirectional and other invisible characters; they make two names look alike or one name look harmless.
// eslint-disable-next-line no-control-regex
const INVISIBLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\uffff]/u;
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?$/iu;

export interface PathLimits {
  readonly pathBytes: number;
  readonly pathDepth: number;
}

/** Why the path is refused, as the end of a sentence that begins with the path; null when it is fine. A final slash must be cut off before. */
export function pathProblem(path: string, limits: PathLimits): string | null {
  if (path === '') return 'is empty';
  if (Buffer.byteLength(path) > limits.pathBytes) return `is longer than ${limits.pathBytes} bytes`;
  if (!path.isWellFormed()) return 'is not valid Unicode';
  if (INVISIBLE.test(path)) return 'has control, direction or invisible characters';
  if (path.includes('\\')) return 'has a backslash';
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'is absolute';
  if (path.normalize('NFC') !== path) return 'is not in Unicode normal form C';
  const segments = path.split('/');
  if (segments.length > limits.pathDepth) return `is nested deeper than ${limits.pathDepth} folders`;
  for (const segment of segments) {
    if (segment === '') return 'has an empty part';
    if (segment === '.' || segment === '..') return `has the part "${segment}"`;
    if (segment.endsWith('.') || segment.endsWith(' ')) return 'has a part that ends with a dot or a space';
    if (DEVICE.test(segment)) return `has the reserved device name "${segment}"`;
  }
  return null;
}

/** Equal for names that a case-insensitive or normalising file system would treat as one. */
export function foldPath(path: string): string {
  return path.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC');
}

/** Remembers every path of one archive and names the earlier entry that a new one would collide with. */
export class PathSet {
  readonly #seen = new Map<string, { readonly path: string; kind: 'file' | 'directory' | 'implied' }>();

  /** Null when the path is new; else the path it collides with. */
  add(path: string, kind: 'file' | 'directory'): string | null {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      const folded = foldPath(parent);
      const known = this.#seen.get(folded);
      if (known === undefined) this.#seen.set(folded, { path: parent, kind: 'implied' });
      else if (known.kind === 'file' || known.path !== parent) return known.path;
    }
    const folded = foldPath(path);
    const known = this.#seen.get(folded);
    if (known !== undefined) {
      if (known.kind !== 'implied' || kind === 'file' || known.path !== path) return known.path;
      known.kind = 'directory';
      return null;
    }
    this.#seen.set(folded, { path, kind });
    return null;
  }
}
