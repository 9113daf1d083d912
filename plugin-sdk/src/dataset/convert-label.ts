/** Pure: the table of converters, label by label. */
import type { DatasetFormat, TaskId } from '../vocabulary.ts';
import type { DatasetFile } from './dataset-file.ts';
import { planClasses, type ClassPlan } from './class-plan.ts';
import { IGNORE } from './formats/mask-png.ts';
import { boundsOf, cornersOf, joinRings, ringArea, smallestBox } from './geometry.ts';
import type { Box, Item, Label, Point, Ring } from './labelled-item.ts';
import { componentsOf, fillSpans, outlinesOf } from './raster.ts';
import { decodeRle, encodeRle } from './rle.ts';

/** Told once for each label that loses something. */
export type Lossy = (what: string) => void;
export type Convert = (item: Item, lose: Lossy) => Label[];
type Kind = 'box' | 'shape' | 'pose' | 'obb' | 'mask' | 'class';

const KIND_OF_TASK: Readonly<Record<TaskId, Kind>> = {
  classify: 'class',
  detect: 'box',
  segment: 'shape',
  semantic: 'mask',
  pose: 'pose',
  obb: 'obb',
};
const KIND_OF_FORMAT: Readonly<Partial<Record<DatasetFormat, Kind>>> = {
  'imagefolder@1': 'class',
  'yolo-detect@1': 'box',
  'yolo-segment@1': 'shape',
  'yolo-pose@1': 'pose',
  'yolo-obb@1': 'obb',
  'mask-png@1': 'mask',
};

/** The task that a format is about when nothing else is said; coco@1 can be about three. */
export const KIND_TASKS: Readonly<Partial<Record<DatasetFormat, TaskId>>> = {
  'imagefolder@1': 'classify',
  'yolo-detect@1': 'detect',
  'yolo-segment@1': 'segment',
  'yolo-pose@1': 'pose',
  'yolo-obb@1': 'obb',
  'mask-png@1': 'semantic',
};

/** What a step to another kind of label gives up, for a person to read before it is done. */
const LOSSES: Readonly<Record<string, string>> = {
  'shape>box': 'outlines become boxes',
  'pose>box': 'points are left out',
  'shape>obb': 'outlines become turned boxes',
  'shape>mask': 'objects of one class that touch become one region',
  'mask>box': 'each connected region counts as one object',
  'mask>shape': 'each connected region counts as one object',
};

/** Null where there is no way; else what is lost, null when nothing is. Crops, which open pictures, are not offered. */
export function conversionOf(
  from: Pick<DatasetFile, 'task' | 'format' | 'classes'>,
  to: { readonly task: TaskId; readonly format: DatasetFormat },
): { readonly loses: string | null } | null {
  if (converterOf(from, to) === null) return null;
  return { loses: LOSSES[`${kindOf(from)}>${KIND_OF_TASK[to.task]}`] ?? null };
}

/** Null where the table has a dash. Crops are no labels and are not here. */
export function converterOf(
  from: Pick<DatasetFile, 'task' | 'format' | 'classes'>,
  to: { readonly task: TaskId; readonly format: DatasetFormat },
): { readonly plan: ClassPlan; readonly convert: Convert } | null {
  const [source, target] = [kindOf(from), KIND_OF_TASK[to.task]];
  const way = source === target ? 'same' : target === 'mask' ? 'to-mask' : source === 'mask' ? 'from-mask' : 'same';
  const plan = planClasses(from.classes, way);
  const old = oldClasses(from, to, plan);
  if (old === null) return null;
  // New indices are given in one place, at the end.
  const convert: Convert = (item, lose) =>
    old(item, lose).flatMap((label): Label[] => {
      if (label.kind === 'mask') return [label];
      const index = plan.index(label.class);
      return index === null ? [] : [{ ...label, class: index }];
    });
  return { plan, convert };
}

function oldClasses(
  from: Pick<DatasetFile, 'task' | 'format'>,
  to: { readonly task: TaskId; readonly format: DatasetFormat },
  plan: ClassPlan,
): Convert | null {
  const target = KIND_OF_TASK[to.task];
  const expected = KIND_OF_FORMAT[to.format];
  if (expected === undefined ? !['box', 'shape', 'pose'].includes(target) : expected !== target) return null;
  const source = kindOf(from);
  const oneRing = to.format === 'yolo-segment@1';
  const each = (label: (one: Label, item: Item, lose: Lossy) => Label[]): Convert => {
    return (item, lose) => item.labels.flatMap((one) => label(one, item, lose));
  };
  switch (`${source}>${target}`) {
    case 'class>class':
    case 'pose>pose':
    case 'obb>obb':
    case 'mask>mask':
      return each((label) => [label]);
    case 'box>box':
      return each((label, _item, lose) => keepCrowd(label, to.format, lose));
    case 'shape>shape':
      return each((label, item, lose) => (oneRing ? asPolygon(label, item, lose) : [label]));
    case 'shape>box':
    case 'pose>box':
      return each((label, _item, lose) => asBox(label, lose));
    case 'shape>obb':
      return each((label, item, lose) => asTurnedBox(label, item, lose));
    case 'box>obb':
      return each((label) =>
        label.kind === 'box' ? [{ kind: 'obb', class: label.class, corners: cornersOf(label.box) }] : [],
      );
    case 'shape>mask':
      return (item, lose) => [rasterised(item, plan.fill, lose)];
    case 'mask>box':
      return each((label, _item, lose) =>
        ofComponents(label, plan.from, lose, (value, box) => ({ kind: 'box', class: value, box })),
      );
    case 'mask>shape':
      return each((label, item, lose) => shapesOfMask(label, item, { oneRing, background: plan.from }, lose));
    default:
      return null;
  }
}

function kindOf({ task, format }: Pick<DatasetFile, 'task' | 'format'>): Kind | null {
  if (format !== 'coco@1') {
    for (const [name, kind] of Object.entries(KIND_OF_FORMAT)) if (name === format) return kind;
    return null;
  }
  for (const [name, kind] of Object.entries(KIND_OF_TASK)) if (name === task) return kind;
  return null;
}

function keepCrowd(label: Label, format: DatasetFormat, lose: Lossy): Label[] {
  if (label.kind !== 'box' || label.crowd !== true || format === 'coco@1') return [label];
  lose('crowd regions, which the format cannot mark, are left out');
  return [];
}

function pixelRings(label: Label & { kind: 'rle' }): Ring[] {
  return outlinesOf(decodeRle(label.rle));
}

function asBox(label: Label, lose: Lossy): Label[] {
  if (label.kind === 'keypoints') {
    lose('keypoints');
    return [{ kind: 'box', class: label.class, box: label.box }];
  }
  if (label.kind === 'box') return [label];
  if (label.kind !== 'polygon' && label.kind !== 'rle') return [];
  const points = label.kind === 'polygon' ? label.rings.flat() : pixelRings(label).flat();
  lose('outlines become boxes');
  if (points.length === 0) return [];
  const crowd = label.kind === 'rle' && label.crowd === true;
  return [{ kind: 'box', class: label.class, box: boundsOf(points), ...(crowd ? { crowd } : {}) }];
}

function asPolygon(label: Label, _item: Item, lose: Lossy): Label[] {
  if (label.kind === 'polygon') return [{ ...label, rings: [joinRings(label.rings)] }];
  if (label.kind !== 'rle') return [];
  if (label.crowd === true) {
    lose('crowd regions, which the format cannot mark, are left out');
    return [];
  }
  const rings = pixelRings(label);
  return rings.length === 0 ? [] : [{ kind: 'polygon', class: label.class, rings: [joinRings(rings)] }];
}

function asTurnedBox(label: Label, item: Item, lose: Lossy): Label[] {
  return asPolygon(label, item, lose).flatMap((shape): Label[] => {
    if (shape.kind !== 'polygon') return [];
    lose('outlines become turned boxes');
    return [{ kind: 'obb', class: shape.class, corners: smallestBox(shape.rings.flat()) }];
  });
}

/** Larger objects first, so that a small one on top of a large one stays. The rest is `fill`. */
function rasterised(item: Item, fill: number, lose: Lossy): Label {
  const { width, height } = item;
  const shapes = item.labels.flatMap((label) => {
    if (label.kind === 'polygon') return [{ class: label.class, rings: label.rings }];
    return label.kind === 'rle'
      ? [{ class: label.crowd === true ? IGNORE : label.class, rings: pixelRings(label) }]
      : [];
  });
  const sized = shapes.map((shape) => ({
    ...shape,
    area: Math.abs(shape.rings.reduce((sum, ring) => sum + ringArea(ring), 0)),
  }));
  sized.sort((a, b) => b.area - a.area);
  const data = new Uint8Array(width * height).fill(fill);
  for (const { class: value, rings } of sized)
    fillSpans(rings, item, (y, from, to) => void data.fill(value, y * width + from, y * width + to));
  if (sized.length > 1) lose('objects of one class that touch become one region');
  return { kind: 'mask', mask: { width, height, data } };
}

function ofComponents(
  label: Label,
  background: number | null,
  lose: Lossy,
  make: (value: number, box: Box) => Label,
): Label[] {
  if (label.kind !== 'mask') return [];
  const parts = componentsOf(label.mask, (value) => value === IGNORE || value === background);
  if (parts.length > 0) lose('each connected region counts as one object');
  return parts.map(({ value, box }) => make(value, box));
}

function shapesOfMask(
  label: Label,
  item: Item,
  { oneRing, background }: { oneRing: boolean; background: number | null },
  lose: Lossy,
): Label[] {
  if (label.kind !== 'mask') return [];
  const parts = componentsOf(label.mask, (value) => value === IGNORE || value === background);
  if (parts.length > 0) lose('each connected region counts as one object');
  return parts.map(({ value, box: [x1, y1], mask }): Label => {
    if (oneRing)
      return { kind: 'polygon', class: value, rings: [joinRings(outlinesOf(mask, [x1, y1] satisfies Point))] };
    const data = new Uint8Array(item.width * item.height);
    for (let y = 0; y < mask.height; y += 1)
      data.set(mask.data.subarray(y * mask.width, (y + 1) * mask.width), (y + y1) * item.width + x1);
    return { kind: 'rle', class: value, rle: encodeRle({ width: item.width, height: item.height, data }) };
  });
}
