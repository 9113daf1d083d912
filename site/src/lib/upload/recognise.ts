import { detectFormat } from '@trainyard/plugin-sdk/dataset/detect';
import { listZip } from './zip-names.ts';

/** What the browser already sees of an upload; the hub decides. */
export interface Recognised {
  readonly format: string | null;
  readonly task: string | null;
  readonly because: string;
  readonly fix: string | undefined;
  readonly classes: readonly string[];
  readonly pictures: number;
  readonly splits: readonly { readonly name: string; readonly count: number }[];
}

const MOST_TEXT = 8 * 1024 * 1024;
const PICTURE = /\.(png|jpe?g|webp|bmp)$/i;

/** Null when it cannot be looked into here, as a .tar.gz. */
export async function recognise(
  picked: readonly { readonly file: File; readonly path: string }[],
): Promise<Recognised | null> {
  const only = picked.length === 1 ? picked[0] : undefined;
  const zip = only !== undefined && /\.zip$/i.test(only.path) ? await listZip(only.file) : null;
  if (only !== undefined && zip === null && !PICTURE.test(only.path)) return null;
  const files = new Map(picked.map(({ path, file }) => [path, file]));
  const paths = (zip?.names ?? [...files.keys()]).filter((path) => !/(^|\/)(\.|__MACOSX)/.test(path));
  const sample = async (path: string): Promise<string | null> =>
    zip === null ? ((await files.get(path)?.slice(0, MOST_TEXT).text()) ?? null) : zip.text(path, MOST_TEXT);
  const pictures = paths.filter((path) => PICTURE.test(path) && !/(^|\/)masks\//i.test(path));
  const counted = { pictures: pictures.length, splits: splitsOf(pictures) };
  const written = paths.find((path) => /(^|\/)dataset\.json$/.test(path));
  const own = written === undefined ? null : parseOwn((await sample(written)) ?? '');
  if (own !== null) return { ...own, because: 'dataset.json', fix: undefined, ...counted };
  const found = await detectFormat(paths, sample);
  return found.format === null
    ? { format: null, task: null, because: found.because, fix: found.fix, classes: [], ...counted }
    : { ...found, classes: found.classes ?? [], fix: undefined, ...counted };
}

function splitsOf(pictures: readonly string[]): Recognised['splits'] {
  const counts = new Map<string, number>();
  for (const path of pictures) {
    const word = /(?:^|\/)(train|val|test)(?:ing|id|idation)?(?:[-_]?\d{2,4})?\//i.exec(path)?.[1]?.toLowerCase();
    if (word !== undefined) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts.has('train') && counts.has('val') ? [...counts].map(([name, count]) => ({ name, count })) : [];
}

function parseOwn(text: string): { format: string; task: string; classes: string[] } | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('schema' in value) || value.schema !== 'dataset@1')
      return null;
    if (!('format' in value) || !('task' in value) || !('classes' in value) || !Array.isArray(value.classes))
      return null;
    const classes = value.classes.map((entry: unknown) =>
      typeof entry === 'object' && entry !== null && 'name' in entry ? String(entry.name) : '',
    );
    return { format: String(value.format), task: String(value.task), classes };
  } catch {
    return null;
  }
}
