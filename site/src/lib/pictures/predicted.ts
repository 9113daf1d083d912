import type { IndexMask, Rle } from '@trainyard/plugin-sdk/runtime';

/** One line of predictions as it is drawn. Read tolerantly: an odd field costs a shape and never the page. */

export interface PredictedInstance {
  readonly class: number;
  readonly score: number;
  readonly box?: readonly number[];
  readonly obb?: readonly (readonly number[])[];
  readonly polygon?: readonly (readonly number[])[];
  readonly rle?: Rle;
  readonly keypoints?: readonly (readonly number[])[];
}
export interface PredictedImage {
  readonly image: string;
  readonly width: number;
  readonly height: number;
  readonly milliseconds: number | undefined;
  readonly classes: readonly { readonly class: number; readonly score: number }[] | undefined;
  readonly instances: readonly PredictedInstance[] | undefined;
  /** Address of an index picture, or the mask itself. */
  readonly mask: string | IndexMask | undefined;
}

type Fields = Readonly<Record<string, unknown>>;
function fields(value: unknown): Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}
function numbers(value: unknown): number[] {
  return Array.isArray(value) ? value.filter((item): item is number => typeof item === 'number') : [];
}
function points(value: unknown): number[][] {
  return Array.isArray(value) ? value.map(numbers) : [];
}
function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function readRle(value: unknown): Rle | undefined {
  const { size, counts } = fields(value);
  const [height, width] = numbers(size);
  return height === undefined || width === undefined || !Array.isArray(counts)
    ? undefined
    : { size: [height, width], counts: numbers(counts) };
}

function readInstance(value: unknown): PredictedInstance {
  const item = fields(value);
  const mask = fields(item['mask']);
  const rle = readRle(mask['rle']);
  return {
    class: number(item['class']),
    score: number(item['score']),
    ...(item['box'] === undefined ? {} : { box: numbers(item['box']) }),
    ...(item['obb'] === undefined ? {} : { obb: points(item['obb']) }),
    ...(item['keypoints'] === undefined ? {} : { keypoints: points(item['keypoints']) }),
    ...(mask['polygon'] === undefined ? {} : { polygon: points(mask['polygon']) }),
    ...(rle === undefined ? {} : { rle }),
  };
}

/** `maskUrl` makes the address of a mask that the line names. */
export function readPrediction(line: Fields, maskUrl: (path: string) => string): PredictedImage {
  const { classes, instances, mask } = line;
  const times = Object.values(fields(line['ms'])).filter((item) => typeof item === 'number');
  return {
    image: String(line['image'] ?? ''),
    width: number(line['width']),
    height: number(line['height']),
    milliseconds: times.length === 0 ? undefined : times.reduce((sum, item) => sum + item, 0),
    classes: Array.isArray(classes)
      ? classes.map((item) => ({ class: number(fields(item)['class']), score: number(fields(item)['score']) }))
      : undefined,
    instances: Array.isArray(instances) ? instances.map(readInstance) : undefined,
    mask: typeof mask === 'string' ? maskUrl(mask) : undefined,
  };
}
