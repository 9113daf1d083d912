/** Pure: which split a path belongs to, and who goes where when nobody said. */
import type { SplitName } from '../imagefolder.ts';
import { assignSplits } from '../split.ts';

export const SPLIT_SEED = 42;

/** `train`, `Training`, `val2017`, `valid`. */
export function splitWord(part: string): SplitName | null {
  const found = /^(train|val|test)(?:ing|id|idation)?(?:[-_]?\d{2,4})?$/i.exec(part)?.[1]?.toLowerCase();
  return found === 'train' || found === 'val' || found === 'test' ? found : null;
}

/** The last folder that is a word for a split. */
export function splitOfPath(path: string): SplitName | null {
  for (const part of path.split('/').slice(0, -1).reverse()) {
    const split = splitWord(part);
    if (split !== null) return split;
  }
  return null;
}

/** `instances_train2017.json`, `train/_annotations.coco.json`. */
export function splitOfFile(path: string): SplitName | null {
  const name = (path.split('/').at(-1) ?? '').replace(/\.[^.]+$/, '');
  for (const part of name.split(/[^a-z0-9]+/i).reverse()) {
    const split = splitWord(part);
    if (split !== null) return split;
  }
  return splitOfPath(path);
}

export interface ToPlace {
  readonly path: string;
  readonly split: SplitName | null;
  /** What the split is kept even for. */
  readonly class: string;
  readonly digest: string | null;
}

/**
 * Train and val as given, when both are; else a fifth of what is not for testing goes to val. Pictures that were not told apart by the person and are
 * the same byte for byte stay on one side.
 */
export function placeInSplits(items: readonly ToPlace[]): { splits: SplitName[]; method: 'given' | 'auto' } {
  const has = new Set(items.map((item) => item.split));
  const given = has.has('train') && has.has('val');
  const open = items.filter((item) => item.split === null || (!given && item.split !== 'test'));
  const first = new Map<string, ToPlace>();
  for (const item of open) {
    const key = item.digest ?? `path:${item.path}`;
    if (!first.has(key)) first.set(key, item);
  }
  const auto = assignSplits(
    [...first.values()],
    { class: (item) => item.class, path: (item) => item.path },
    SPLIT_SEED,
  );
  const splits = items.map((item): SplitName => {
    if (item.split !== null && (given || item.split === 'test')) return item.split;
    const twin = first.get(item.digest ?? `path:${item.path}`);
    return (twin === undefined ? undefined : auto.get(twin)) ?? 'train';
  });
  return { splits, method: given ? 'given' : 'auto' };
}

/** Every picture's stem once in a folder: x.jpg and x.png would share their annotation. */
export class UniqueStems {
  readonly #taken = new Set<string>();

  /** The file name to use in `folder`. */
  name(folder: string, path: string): string {
    const file = path.split('/').at(-1) ?? path;
    const dot = file.lastIndexOf('.');
    const [stem, ending] = dot < 1 ? [file, ''] : [file.slice(0, dot), file.slice(dot)];
    let unique = stem;
    for (let n = 2; this.#taken.has(`${folder}/${unique.toLowerCase()}`); n += 1) unique = `${stem}-${n}`;
    this.#taken.add(`${folder}/${unique.toLowerCase()}`);
    return `${unique}${ending}`;
  }
}
