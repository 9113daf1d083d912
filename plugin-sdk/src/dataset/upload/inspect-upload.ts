/** One pass over an upload: recognised, planned, every problem named, everything counted. */
import { checkDataset } from '../check-dataset.ts';
import type { DatasetFile } from '../dataset-file.ts';
import type { DatasetSource } from '../dataset-source.ts';
import { imageOrientation } from '../image-orientation.ts';
import { imageTypeOf } from '../image-sniff.ts';
import type { Finding } from '../../finding.ts';
import type { Item } from '../labelled-item.ts';
import { inWordsOfUpload, notesOf, plannedSource, rootOf } from './planned-source.ts';
import { planUpload, type UploadWish } from './plan-upload.ts';
import type { UploadPlan } from './upload-plan.ts';

export interface ClassCount {
  /** Labels; pictures for classify, pictures with it for masks. */
  count: number;
  splits: Record<string, number>;
}
export interface Inspection {
  readonly plan: UploadPlan;
  /** The folder around the dataset, with its slash; before every path of `plan.from`. */
  readonly root: string;
  /** The planned dataset under canonical paths. */
  readonly source: DatasetSource;
  readonly file: DatasetFile;
  /** Errors first. Paths are those of the upload. */
  readonly findings: readonly Finding[];
  readonly more: number;
  readonly images: number;
  readonly labels: number;
  /** By class index. */
  readonly counts: readonly ClassCount[];
  /** Pictures whose header asks to be turned before they are shown. */
  readonly turned: readonly string[];
}
const LIMIT = 200;

/** A finding without a plan when the upload is of no format. */
export async function inspectUpload(
  paths: readonly string[],
  upload: DatasetSource,
  wish: UploadWish,
  each: (item: Item) => void = () => undefined,
): Promise<Inspection | { readonly because: string; readonly fix: string }> {
  const plan = await planUpload(paths, upload, wish);
  if (!('file' in plan)) return plan;
  const turned: string[] = [];
  const root = rootOf(plan);
  const planned = plannedSource(plan, upload, root);
  const source: DatasetSource = {
    ...planned,
    ends: async (path) => {
      const ends = await planned.ends(path);
      if (ends !== null && imageTypeOf(path) !== null && imageOrientation(ends.head) > 1) turned.push(path);
      return ends;
    },
  };
  const counts = plan.file.classes.map((): ClassCount => ({ count: 0, splits: {} }));
  const count = (index: number, split: string): void => {
    const entry = counts[index];
    if (entry === undefined) return;
    entry.count += 1;
    entry.splits[split] = (entry.splits[split] ?? 0) + 1;
  };
  const facts = await checkDataset(source, plan.file, {
    limit: LIMIT,
    each: (item) => {
      for (const label of item.labels) {
        if (label.kind !== 'mask') count(label.class, item.split);
        else for (const value of new Set(label.mask.data)) count(value, item.split);
      }
      each(item);
    },
  });
  const own = notesOf(plan);
  const checked = await Promise.all(facts.findings.map((finding) => inWordsOfUpload(plan, finding)));
  const findings = [...own, ...checked].sort((a, b) => Number(a.severity !== 'error') - Number(b.severity !== 'error'));
  return {
    plan,
    root,
    source: planned,
    file: plan.file,
    findings: findings.slice(0, LIMIT),
    more: facts.more + Math.max(0, findings.length - LIMIT),
    images: facts.images,
    labels: facts.labels,
    counts,
    turned: turned.map((path) => plan.words.get(path) ?? path),
  };
}
