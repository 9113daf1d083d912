/** Pure: labels as the gallery draws them. Masks are pictures of their own and are not here. */
import { decodeRle, outlinesOf, type Item, type Label, type Ring } from '@trainyard/plugin-sdk/dataset';
import type { DrawnLabel } from './work-request.ts';

const MOST_LABELS = 200;
const MOST_POINTS = 96;

export function drawnLabels(item: Item): DrawnLabel[] {
  return item.labels.slice(0, MOST_LABELS).flatMap((label) => drawn(label) ?? []);
}

function drawn(label: Label): DrawnLabel | null {
  switch (label.kind) {
    case 'box':
      return { class: label.class, box: label.box.map(tenth) };
    case 'obb':
      return { class: label.class, rings: [flat(label.corners)] };
    case 'polygon':
      return { class: label.class, rings: label.rings.map(flat) };
    case 'rle':
      return { class: label.class, rings: outlinesOf(decodeRle(label.rle)).slice(0, 24).map(flat) };
    case 'keypoints':
      return {
        class: label.class,
        box: label.box.map(tenth),
        points: label.points.map(([x, y, seen]) => [tenth(x), tenth(y), seen]),
      };
    default:
      return null;
  }
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Every n-th point: a thumbnail shows no more. */
function flat(ring: Ring): number[] {
  const step = Math.max(1, Math.ceil(ring.length / MOST_POINTS));
  return ring.filter((_, at) => at % step === 0).flatMap(([x, y]) => [tenth(x), tenth(y)]);
}
