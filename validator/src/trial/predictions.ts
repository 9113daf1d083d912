import type { TestData } from '../data/test-data.ts';
import { isRecord, parseJson, readOutputText } from './output-json.ts';
import type { Trial } from './trials.ts';

/** predictions.jsonl as contract.md §7.3 says it must be. */

export interface PredictionFault {
  /** From 1 on. */
  readonly line: number;
  readonly says: string;
  readonly evidence: string;
}

const SCORE_SLACK = 1e-6;

/** The first thing that is wrong, or null. `wanted`: picture names in order; compared by `sameName`. */
export async function predictionFault(
  trial: Trial,
  kind: string,
  data: TestData,
  wanted: readonly string[],
  sameName: (said: string, wanted: string) => boolean,
): Promise<PredictionFault | null> {
  const text = await readOutputText(trial, 'output/predictions.jsonl');
  if (text === null) return { line: 0, says: 'output/predictions.jsonl is missing', evidence: '' };
  const lines = text.split('\n').filter((line) => line !== '');
  for (const [at, name] of wanted.entries()) {
    const line = lines[at];
    if (line === undefined) break;
    const fault = lineFault(parseJson(line), kind, data, (said) => sameName(said, name));
    if (fault !== null) return { line: at + 1, says: fault, evidence: line.slice(0, 300) };
    const masks = maskPath(parseJson(line));
    if (kind === 'semantic@1' && (masks === null || (await readOutputText(trial, `output/${masks}`)) === null))
      return { line: at + 1, says: `the mask ${masks ?? ''} is missing`, evidence: line.slice(0, 300) };
  }
  if (lines.length === wanted.length) return null;
  const says = `there are ${lines.length} lines for ${wanted.length} pictures`;
  return { line: Math.min(lines.length, wanted.length) + 1, says, evidence: lines.at(-1)?.slice(0, 300) ?? '' };
}

function maskPath(value: unknown): string | null {
  return isRecord(value) && typeof value['mask'] === 'string' ? value['mask'] : null;
}

function lineFault(value: unknown, kind: string, data: TestData, isWanted: (said: string) => boolean): string | null {
  if (!isRecord(value)) return 'the line is no JSON object';
  const { image, width, height } = value;
  if (typeof image !== 'string' || !isWanted(image))
    return `"image" is ${JSON.stringify(image)}, another picture is next`;
  if (kind === 'semantic@1') return typeof value['mask'] === 'string' ? null : '"mask" is no path';
  if (typeof width !== 'number' || typeof height !== 'number') return '"width" or "height" is missing';
  const list = value[kind === 'classification@1' ? 'classes' : 'instances'];
  if (!Array.isArray(list)) return `"${kind === 'classification@1' ? 'classes' : 'instances'}" is no list`;
  let before = Infinity;
  for (const item of list) {
    if (!isRecord(item)) return 'an entry is no object';
    const { class: index, score } = item;
    if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index >= data.file.classes.length)
      return `the class ${JSON.stringify(index)} is not in dataset.json`;
    if (typeof score !== 'number' || score < 0 || score > 1 + SCORE_SLACK)
      return `the score ${JSON.stringify(score)} is not in 0 to 1`;
    if (score > before + SCORE_SLACK) return 'the entries are not sorted by score';
    before = score;
    const fault = kind === 'classification@1' ? null : shapeFault(item, data.file.task);
    if (fault !== null) return fault;
  }
  return null;
}

function shapeFault(item: Record<string, unknown>, task: string): string | null {
  const numbers = (value: unknown, length: number): boolean =>
    Array.isArray(value) &&
    value.length === length &&
    value.every((one) => typeof one === 'number' && Number.isFinite(one));
  if (task === 'obb') {
    const corners = Array.isArray(item['obb']) ? item['obb'].flat() : null;
    return numbers(corners, 8) ? null : '"obb" is not four corners';
  }
  if (!numbers(item['box'], 4)) return '"box" is not four numbers';
  const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = Array.isArray(item['box']) ? item['box'].map(Number) : [];
  if (x2 < x1 || y2 < y1) return '"box" is not x1 y1 x2 y2';
  if (task === 'segment' && !isRecord(item['mask'])) return '"mask" is missing';
  if (task === 'pose' && !Array.isArray(item['keypoints'])) return '"keypoints" are missing';
  return null;
}
