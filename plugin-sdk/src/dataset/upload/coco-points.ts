/** What COCO categories say about key points. */
import { numbersOf, type Entry } from '../formats/coco-file.ts';
import type { KeypointSpec } from '../labelled-item.ts';
import { plainName } from './upload-plan.ts';

export function pointsOfCategories(categories: readonly Entry[]): KeypointSpec {
  const entry = categories.find((one) => Array.isArray(one['keypoints']) && one['keypoints'].length > 0);
  const names = Array.isArray(entry?.['keypoints'])
    ? entry['keypoints'].map((one: unknown) => plainName(String(one)))
    : [];
  const pairs = Array.isArray(entry?.['skeleton']) ? entry['skeleton'].map((pair: unknown) => numbersOf(pair)) : [];
  const skeleton = pairs.flatMap((pair): number[][] => {
    const [a = 0, b = 0] = pair ?? [];
    return a >= 1 && b >= 1 && a <= names.length && b <= names.length ? [[a - 1, b - 1]] : [];
  });
  return { names, ...(skeleton.length === 0 ? {} : { skeleton }), flipIndex: mirrored(names) };
}

/** `left_eye` and `right_eye` change places; everything else stays. */
function mirrored(names: readonly string[]): number[] {
  return names.map((name, at) => {
    const other = /left/i.test(name) ? name.replace(/left/i, 'right') : name.replace(/right/i, 'left');
    const found = names.indexOf(other);
    return found < 0 ? at : found;
  });
}
