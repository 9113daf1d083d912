import type { ExportMetadata, NpyArray } from '@trainyard/plugin-sdk/export';

/**
 * Which numbers of an output mean the same, and how far each may be from the checkpoint's (contract.md §8.6). One number for a whole output is
 * wrong: boxes are pixels, scores are shares of one.
 */

export interface OutputPart {
  /** `output0:boxes`; the output's own name where all of it means the same. */
  readonly name: string;
  /** Side that is cut: the second or the last; null takes everything. */
  readonly axis: 1 | -1 | null;
  readonly start: number;
  /** Null: to the end. */
  readonly end: number | null;
  readonly step: number;
  /** Null: no number is judged, only finite values and the task. */
  readonly tolerance: number | null;
}

type Kind = 'logits' | 'scores' | 'pixels' | 'angle' | 'dense' | 'other';
const TOLERANCES: Readonly<Record<Kind, readonly [fp32: number | null, fp16: number | null]>> = {
  logits: [1e-3, 5e-2],
  scores: [1e-4, 5e-3],
  pixels: [1e-2, 1],
  angle: [1e-3, 1e-2],
  dense: [1e-2, 1e-1],
  other: [null, null],
};
const SETS = ['detr', 'detr-concat', 'yolo-end2end'];
/** Rows of a list of fixed length below this score are filling. */
const FILLING = 0.01;

/** Parts of each output, in the order of metadata.json. `override` stands for every tolerance. */
export function outputParts(metadata: ExportMetadata, override?: number): OutputPart[][] {
  const { precision } = metadata.artifact;
  const allowed = (kind: Kind): number | null => {
    if (override !== undefined) return override;
    return precision === 'int8' ? null : (TOLERANCES[kind][precision === 'fp32' ? 0 : 1] ?? null);
  };
  return metadata.outputs.map((output) =>
    cutsOf(metadata, output).map(({ label, kind, axis = null, start = 0, end = null, step = 1 }) => ({
      name: label === '' ? output.name : `${output.name}:${label}`,
      ...{ axis, start, end, step },
      tolerance: allowed(kind),
    })),
  );
}

interface Cut {
  readonly label: string;
  readonly kind: Kind;
  readonly axis?: 1 | -1;
  readonly start?: number;
  readonly end?: number;
  readonly step?: number;
}

function cutsOf(metadata: ExportMetadata, output: ExportMetadata['outputs'][number]): Cut[] {
  const { semantics, name, shape } = output;
  const { classes, depth } = decodedAs(metadata);
  const whole = (kind: Kind): Cut[] => [{ label: '', kind }];
  if (semantics === 'logits') return whole('logits');
  if (semantics === 'probs' || semantics === 'detr-concat') return whole('scores');
  if (semantics === 'detr') return whole(name.includes('box') ? 'scores' : 'logits');
  if (semantics === 'semantic-logits' || semantics === 'prototypes' || shape.length === 4) return whole('dense');
  if (semantics === 'masks-queries') return whole('logits');
  const places = (axis: 1 | -1, at: number): Cut[] => [
    { label: 'keypoints x', kind: 'pixels', axis, start: at, step: depth },
    { label: 'keypoints y', kind: 'pixels', axis, start: at + 1, step: depth },
    ...(depth === 3 ? [{ label: 'visibility', kind: 'scores', axis, start: at + 2, step: depth } as const] : []),
  ];
  if (/^yolo-(seg-|pose-|obb-)?raw$/.test(semantics)) {
    const rest = 4 + classes;
    return [
      { label: 'boxes', kind: 'pixels', axis: 1, end: 4 },
      { label: 'scores', kind: 'scores', axis: 1, start: 4, end: rest },
      ...(semantics === 'yolo-seg-raw'
        ? [{ label: 'coefficients', kind: 'dense', axis: 1, start: rest } as const]
        : []),
      ...(semantics === 'yolo-obb-raw' ? [{ label: 'angle', kind: 'angle', axis: 1, start: rest } as const] : []),
      ...(semantics === 'yolo-pose-raw' ? places(1, rest) : []),
    ];
  }
  if (semantics !== 'yolo-end2end') return whole('other');
  const { task } = metadata.model;
  return [
    { label: 'boxes', kind: 'pixels', axis: -1, end: 4 },
    { label: 'scores', kind: 'scores', axis: -1, start: 4, end: 5 },
    { label: 'classes', kind: 'scores', axis: -1, start: 5, end: 6 },
    ...(task === 'obb' ? [{ label: 'angle', kind: 'angle', axis: -1, start: 6 } as const] : []),
    ...(task === 'pose' ? places(-1, 6) : []),
    ...(task === 'segment' ? [{ label: 'coefficients', kind: 'dense', axis: -1, start: 6 } as const] : []),
  ];
}

function decodedAs({ postprocess, labels }: ExportMetadata): { classes: number; depth: number } {
  const decode: Record<string, unknown> = { ...postprocess.find(({ op }) => op === 'decode') };
  const { classes, keypoints } = decode;
  const depth: unknown = Array.isArray(keypoints) ? keypoints[1] : 3;
  return { classes: typeof classes === 'number' ? classes : labels.length, depth: depth === 2 ? 2 : 3 };
}

/** Places of the outputs that are lists of candidates: their order means nothing. `filling`: the index of the score below which a row is nothing. */
export function candidateLists({ outputs }: ExportMetadata): {
  readonly lists: number[];
  readonly filling: number | null;
} {
  const kinds = outputs.map(({ semantics }) => semantics);
  const lists = kinds.flatMap((kind, index) =>
    SETS.includes(kind) && outputs[index]?.shape.length === 3 ? [index] : [],
  );
  return { lists, filling: kinds.includes('yolo-end2end') ? 4 : null };
}

/** Values of a part, in the order of the tensor. */
export function valuesOf({ shape, data }: NpyArray, { axis, start, end, step }: OutputPart): Float32Array {
  if (axis === null) return data;
  const at = axis === 1 ? 1 : shape.length - 1;
  const side = shape[at] ?? 1;
  const inner = shape.slice(at + 1).reduce((product, value) => product * value, 1);
  const to = Math.min(end ?? side, side);
  return data.filter((_, i) => {
    const place = Math.floor(i / inner) % side;
    return place >= start && place < to && (place - start) % step === 0;
  });
}

/** `got` with its candidates in the order of `wanted`, and both without filling rows. Tensors by output, the same shapes on both sides. */
export function inOneOrder(
  metadata: ExportMetadata,
  wanted: readonly NpyArray[],
  got: readonly NpyArray[],
): { wanted: NpyArray[]; got: NpyArray[] } {
  const { lists, filling } = candidateLists(metadata);
  const both = [wanted, got].map((tensors) =>
    tensors.map((tensor, index) => (filling !== null && lists[0] === index ? emptied(tensor, filling) : tensor)),
  );
  const [a = [], b = []] = both;
  const [first] = lists;
  if (first === undefined) return { wanted: a, got: b };
  const [batch = 0, rows = 0] = a[first]?.shape ?? [];
  const ordered = b.map((tensor) => ({ shape: tensor.shape, data: Float32Array.from(tensor.data) }));
  for (let item = 0; item < batch; item += 1) {
    const order = nearest(lists, a, b, item, rows);
    if (new Set(order).size !== rows) continue;
    for (const index of lists) {
      const [source, target] = [b[index], ordered[index]];
      const width = source?.shape[2] ?? 0;
      order.forEach((from, to) => {
        const begin = (item * rows + from) * width;
        target?.data.set(source?.data.subarray(begin, begin + width) ?? [], (item * rows + to) * width);
      });
    }
  }
  return { wanted: a, got: ordered };
}

function emptied(tensor: NpyArray, score: number): NpyArray {
  const width = tensor.shape.at(-1) ?? 1;
  const kept = (i: number): boolean => (tensor.data[i - (i % width) + score] ?? 0) >= FILLING;
  return { shape: tensor.shape, data: tensor.data.map((value, i) => (kept(i) ? value : 0)) };
}

/** For each row of the checkpoint the row of the file that is nearest. */
function nearest(
  lists: readonly number[],
  a: readonly NpyArray[],
  b: readonly NpyArray[],
  item: number,
  rows: number,
): number[] {
  return Array.from({ length: rows }, (_, row) => {
    let [best, at] = [Infinity, row];
    for (let other = 0; other < rows; other += 1) {
      let apart = 0;
      for (const index of lists) {
        const width = a[index]?.shape[2] ?? 0;
        for (let k = 0; k < width && apart <= best; k += 1)
          apart += Math.abs(
            (a[index]?.data[(item * rows + row) * width + k] ?? 0) -
              (b[index]?.data[(item * rows + other) * width + k] ?? 0),
          );
      }
      // Rows that are the same, such as filling, keep their own place.
      if (apart < best || (apart === best && other === row)) [best, at] = [apart, other];
    }
    return at;
  });
}
