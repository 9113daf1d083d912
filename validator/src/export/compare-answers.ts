import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { decodeMask } from '@trainyard/plugin-sdk/dataset';
import { boxIou } from '@trainyard/plugin-sdk/metrics';
import { asRecord, isRecord, parseJson, readOutputText } from '../trial/output-json.ts';
import { exitCodeOf, exitText, lastWords, type Trial } from '../trial/trials.ts';

/** Share of pictures that may differ: a score at the very threshold falls on either side. */
const NEEDED = { fp32: 0.99, fp16: 0.98, int8: 0.8 } as const;
const SURE = 0.3;
const LEAST_IOU = 0.9;
const EQUAL_PIXELS = 0.99;
const SAME_SCORE = 0.02;

/** How they differ with what was seen, or why they could not be compared. */
export type ComparedAnswers =
  { readonly difference: string | null; readonly evidence: string } | { readonly reason: string };

/** Two runs of predict over the same pictures: how the second one differs, or null. */
export async function compareAnswers(
  task: string,
  own: Trial,
  other: Trial,
  precision: string,
): Promise<ComparedAnswers> {
  for (const [trial, what] of [
    [own, 'the checkpoint'],
    [other, 'the exported model'],
  ] as const) {
    if (exitCodeOf(trial) === 0) continue;
    return {
      difference: `predict with ${what} ended with ${exitText(trial.exit)} instead of 0`,
      evidence: lastWords(trial, 15),
    };
  }
  const [ours, theirs] = await Promise.all(
    [own, other].map((trial) => readOutputText(trial, 'output/predictions.jsonl')),
  );
  const lines = (text: string | null | undefined): string[] => (text ?? '').split('\n').filter((line) => line !== '');
  const [before, after] = [lines(ours), lines(theirs)];
  if (before.length !== after.length)
    return {
      difference: `${before.length} pictures were answered with the checkpoint, ${after.length} with the exported model`,
      evidence: '',
    };
  let equal = 0;
  let first = '';
  for (const [at, line] of before.entries()) {
    const one = asRecord(parseJson(line));
    const two = asRecord(parseJson(after[at] ?? ''));
    if (one !== null && two !== null && (await sameAnswer(task, { one, two, own, other }))) equal += 1;
    else if (first === '') first = `${line.slice(0, 400)}\n${(after[at] ?? '').slice(0, 400)}`;
  }
  const needed = precision === 'fp16' || precision === 'int8' ? NEEDED[precision] : NEEDED.fp32;
  // One picture of sixteen is more than a hundredth: one may differ.
  const enough = equal >= Math.floor(needed * before.length) || equal >= before.length - 1;
  return {
    difference: enough ? null : `${before.length - equal} of ${before.length} pictures are answered differently`,
    evidence: first,
  };
}

interface Pair {
  readonly one: Record<string, unknown>;
  readonly two: Record<string, unknown>;
  readonly own: Trial;
  readonly other: Trial;
}

async function sameAnswer(task: string, { one, two, own, other }: Pair): Promise<boolean> {
  if (task === 'classify') {
    const ours = entries(one['classes']);
    const [a, b] = [ours[0], entries(two['classes'])[0]];
    if (a === undefined || b === undefined) return ours.length === entries(two['classes']).length;
    // Two classes of the same score may change places.
    const tied = ours.find((entry) => entry.class === b.class);
    return a.class === b.class || (tied !== undefined && a.score - tied.score < SAME_SCORE);
  }
  if (task === 'semantic') {
    const [a, b] = await Promise.all([readMask(own, one['mask']), readMask(other, two['mask'])]);
    if (a === null || b === null || a.length !== b.length) return false;
    return a.reduce((same, value, at) => same + (value === b[at] ? 1 : 0), 0) >= EQUAL_PIXELS * a.length;
  }
  const [a, b] = [entries(one['instances']), entries(two['instances'])];
  const found = (list: readonly Entry[], wanted: Entry): boolean =>
    list.some((entry) => entry.class === wanted.class && boxIou(entry.box, wanted.box) >= LEAST_IOU);
  return (
    a.filter(({ score }) => score >= SURE + SAME_SCORE).every((entry) => found(b, entry)) &&
    b.filter(({ score }) => score >= SURE + SAME_SCORE).every((entry) => found(a, entry))
  );
}

interface Entry {
  readonly class: number;
  readonly score: number;
  readonly box: [number, number, number, number];
}

function entries(value: unknown): Entry[] {
  if (!Array.isArray(value)) return [];
  return value.filter(isRecord).map((item) => {
    const corners = Array.isArray(item['obb']) ? item['obb'].flat().map(Number) : null;
    const box = corners === null ? (Array.isArray(item['box']) ? item['box'].map(Number) : []) : around(corners);
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = box;
    return { class: Number(item['class']), score: Number(item['score']), box: [x1, y1, x2, y2] };
  });
}

/** Corners x, y, x, y … → the box around them. */
function around(corners: readonly number[]): number[] {
  const xs = corners.filter((_, at) => at % 2 === 0);
  const ys = corners.filter((_, at) => at % 2 === 1);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

async function readMask(trial: Trial, path: unknown): Promise<Uint8Array | null> {
  if (typeof path !== 'string' || path.includes('..')) return null;
  const bytes = await readFile(join(trial.jobFolder, 'output', path)).catch(() => null);
  return bytes === null ? null : decodeMask(bytes).data;
}
