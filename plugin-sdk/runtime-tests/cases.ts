import { tinyModel, type TinyOutput } from './tiny-models.ts';
import { Random } from '../src/trainer/random.ts';
import type { Picture } from '../src/trainer/png.ts';

/** One small bundle for each meaning an output can have, each with another way to bring the picture in. */

type Op = Readonly<Record<string, unknown>> & { readonly op: string };

export interface Case {
  readonly name: string;
  readonly metadata: ReturnType<typeof metadataOf>;
  /** Absent where only the way in is compared. */
  readonly model?: Uint8Array;
}

const SIDES = [96, 128] as const;
const CLASSES = 3;
const LABELS = ['bolt', 'nut', 'washer'];
const RESCALE: Op = { op: 'rescale', factor: 1 / 255 };
const NCHW: Op = { op: 'transpose', layout: 'NCHW' };
const RGB: Op = { op: 'decode', color: 'rgb' };
const BACK: Op = { op: 'scale-back' };

function metadataOf(parts: {
  task: string;
  preprocess: readonly Op[];
  postprocess: readonly Op[];
  outputs: readonly unknown[];
  labels: readonly string[];
  channels: number;
}) {
  const { task, channels, ...rest } = parts;
  return {
    schema: 'export/v1',
    createdAt: '2026-01-01T00:00:00Z',
    model: { task, id: 'tiny', trainer: '@trainyard/tests@1.0.0' },
    artifact: { format: 'onnx', precision: 'fp32', dynamic: [], files: [{ path: 'model.onnx' }] },
    inputs: [{ name: 'image', dtype: 'float32', shape: [1, channels, ...SIDES] }],
    ...rest,
    license: 'Apache-2.0',
    notices: [],
  };
}

function resize(fields: Readonly<Record<string, unknown>>): Op {
  return { op: 'resize', size: [...SIDES], interpolation: 'bilinear', antialias: false, round: 'uint8', ...fields };
}

const LETTERBOX = resize({ mode: 'letterbox', align: 'center', scaleUp: true, padValue: [114, 114, 114] });
const CORNER = resize({ mode: 'letterbox', align: 'top-left', scaleUp: false, padValue: [10, 20, 30], round: 'none' });
const STRETCH = resize({ mode: 'stretch', antialias: true });
const CUBIC = resize({ mode: 'stretch', antialias: true, interpolation: 'bicubic', round: 'none' });
const CUT: readonly Op[] = [
  resize({ mode: 'shorter-edge', size: 110, antialias: true, interpolation: 'bicubic' }),
  { op: 'crop', mode: 'center', size: [...SIDES] },
];
const FRAMED: readonly Op[] = [
  resize({ mode: 'longer-edge', size: 90 }),
  { op: 'pad', to: [...SIDES], padValue: 7, align: 'center' },
];

/** Boxes around the cell (cx cy w h in pixels), then scores, then what `more` says. */
function around(more: (k: number, x: number, y: number) => readonly [number, number] = () => [1, 0]) {
  return (k: number, x: number, y: number): readonly [number, number] => {
    if (k < 4) return [[24, x - 12] as const, [24, y - 12] as const, [44, 6] as const, [36, 6] as const][k] ?? [0, 0];
    return k < 4 + CLASSES ? [1, 0] : more(k - 4 - CLASSES, x, y);
  };
}

function points(size: number) {
  return (k: number, x: number, y: number): readonly [number, number] =>
    k % size === 0 ? [40, x - 20] : k % size === 1 ? [40, y - 20] : [1, 0];
}

/** x1 y1 x2 y2 (or cx cy w h), score, class, more. */
function finished(centre: boolean, more: (k: number, x: number, y: number) => readonly [number, number]) {
  return (k: number, x: number, y: number): readonly [number, number] => {
    if (k === 5) return [0, (Math.floor(x / 8) + Math.floor(y / 8)) % CLASSES];
    if (k === 4) return [1, 0];
    if (k > 5) return more(k - 6, x, y);
    if (centre) return around()(k, x, y);
    return [[12, x - 24] as const, [12, y - 24] as const, [24, x] as const, [24, y] as const][k] ?? [0, 0];
  };
}

const TURN: (k: number) => readonly [number, number] = () => [Math.PI, -Math.PI / 4];
const UNIT = (k: number, x: number, y: number): readonly [number, number] =>
  [[0.2, x / 128 - 0.1] as const, [0.2, y / 96 - 0.1] as const, [0.4, 0.02] as const, [0.4, 0.02] as const][k] ?? [
    1, 0,
  ];
const SCORE: Op = { op: 'threshold', score: 0.5 };
const NMS: Op = { op: 'nms', iou: 0.45, classAgnostic: false, maxDetections: 50 };
const PROTOTYPES: TinyOutput = { name: 'output1', channels: 4, patch: 4, layout: 'map' };

interface Draft {
  readonly name: string;
  readonly task: string;
  readonly way: readonly Op[];
  readonly outputs: readonly TinyOutput[];
  readonly said?: readonly Readonly<Record<string, unknown>>[];
  readonly post: readonly Op[];
  readonly labels?: readonly string[];
  readonly channels?: number;
  readonly normalize?: Op;
  readonly seed?: number;
}

const GREY: Op = { op: 'decode', color: 'gray' };
const OUT = (channels: number, layout: TinyOutput['layout'], place?: TinyOutput['place'], patch = 8): TinyOutput => ({
  name: 'output0',
  channels,
  patch,
  layout,
  ...(place === undefined ? {} : { place }),
});
const decode = (scheme: string, more: Readonly<Record<string, unknown>> = {}): Op => ({
  op: 'decode',
  scheme,
  classes: CLASSES,
  ...more,
});

const DRAFTS: readonly Draft[] = [
  {
    name: 'logits',
    task: 'classify',
    way: [RGB, ...CUT],
    outputs: [OUT(5, 'vector', undefined, 16)],
    post: [
      { op: 'softmax', axis: 1 },
      { op: 'topk', k: 3 },
    ],
    labels: ['a', 'b', 'c', 'd', 'e'],
    normalize: { op: 'normalize', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  },
  {
    name: 'probs',
    task: 'classify',
    way: [GREY, STRETCH],
    outputs: [OUT(5, 'vector', undefined, 16)],
    post: [{ op: 'sigmoid' }, decode('probs'), { op: 'threshold', score: 0.2 }],
    labels: ['a', 'b', 'c', 'd', 'e'],
    channels: 1,
    normalize: { op: 'normalize', mean: [0.5], std: [0.5] },
  },
  {
    name: 'yolo-raw',
    task: 'detect',
    way: [RGB, LETTERBOX],
    outputs: [OUT(7, 'columns', around())],
    post: [decode('yolo-raw'), SCORE, NMS, BACK],
  },
  {
    name: 'yolo-raw-agnostic',
    task: 'detect',
    way: [{ op: 'decode', color: 'bgr' }, CORNER],
    outputs: [OUT(7, 'columns', around())],
    post: [decode('yolo-raw'), SCORE, { ...NMS, classAgnostic: true }, { op: 'topk', k: 9 }, BACK],
  },
  {
    name: 'yolo-seg-raw',
    task: 'segment',
    way: [RGB, LETTERBOX],
    outputs: [
      OUT(
        11,
        'columns',
        around(() => [4, -2]),
      ),
      PROTOTYPES,
    ],
    post: [decode('yolo-seg-raw'), SCORE, NMS, { op: 'mask-assemble', threshold: 0.5 }, BACK],
  },
  {
    name: 'yolo-pose-raw',
    seed: 7,
    task: 'pose',
    way: [RGB, LETTERBOX],
    outputs: [OUT(19, 'columns', around(points(3)))],
    post: [decode('yolo-pose-raw', { keypoints: [4, 3] }), SCORE, NMS, BACK],
  },
  {
    name: 'yolo-pose-raw-flat',
    task: 'pose',
    way: [RGB, CUBIC],
    outputs: [OUT(15, 'columns', around(points(2)))],
    post: [decode('yolo-pose-raw', { keypoints: [4, 2] }), SCORE, NMS, BACK],
  },
  {
    name: 'yolo-obb-raw',
    task: 'obb',
    way: [RGB, LETTERBOX],
    outputs: [OUT(8, 'columns', around(TURN))],
    post: [decode('yolo-obb-raw'), SCORE, { ...NMS, metric: 'probiou' }, BACK],
  },
  {
    name: 'end2end-detect',
    seed: 3,
    task: 'detect',
    way: [RGB, LETTERBOX],
    outputs: [OUT(6, 'rows', finished(false, TURN))],
    post: [decode('yolo-end2end'), SCORE, BACK],
  },
  {
    name: 'end2end-segment',
    task: 'segment',
    way: [RGB, ...FRAMED],
    outputs: [
      OUT(
        10,
        'rows',
        finished(false, () => [4, -2]),
      ),
      PROTOTYPES,
    ],
    post: [decode('yolo-end2end'), SCORE, { op: 'mask-assemble', threshold: 0.4 }, BACK],
  },
  {
    name: 'end2end-pose',
    task: 'pose',
    way: [RGB, LETTERBOX],
    outputs: [OUT(18, 'rows', finished(false, points(3)))],
    post: [decode('yolo-end2end'), SCORE, BACK],
  },
  {
    name: 'end2end-obb',
    seed: 2,
    task: 'obb',
    way: [RGB, LETTERBOX],
    outputs: [OUT(7, 'rows', finished(true, TURN))],
    post: [decode('yolo-end2end'), SCORE, BACK],
  },
  {
    name: 'detr-sigmoid',
    seed: 6,
    task: 'detect',
    way: [RGB, STRETCH],
    outputs: [
      { ...OUT(3, 'rows'), name: 'logits' },
      { ...OUT(4, 'rows', UNIT), name: 'pred_boxes' },
    ],
    said: [{ background: false, activation: 'sigmoid' }],
    post: [decode('detr'), SCORE, BACK],
  },
  {
    name: 'detr-softmax',
    task: 'detect',
    way: [RGB, ...CUT],
    outputs: [
      { ...OUT(4, 'rows'), name: 'logits' },
      { ...OUT(4, 'rows', UNIT), name: 'pred_boxes' },
    ],
    said: [{ background: true, activation: 'softmax' }],
    post: [decode('detr'), SCORE, BACK],
  },
  {
    name: 'detr-concat',
    task: 'detect',
    way: [RGB, CUBIC],
    outputs: [OUT(7, 'rows', UNIT)],
    post: [decode('detr-concat'), SCORE, { op: 'topk', k: 20 }, BACK],
  },
  {
    name: 'semantic',
    seed: 5,
    task: 'semantic',
    way: [RGB, LETTERBOX],
    outputs: [OUT(4, 'map')],
    post: [
      decode('semantic-logits'),
      { op: 'upsample', to: 'input', interpolation: 'bilinear', alignCorners: false },
      { op: 'argmax', axis: 1 },
      BACK,
    ],
  },
  {
    name: 'semantic-corners',
    seed: 5,
    task: 'semantic',
    way: [RGB, ...FRAMED],
    outputs: [OUT(4, 'map')],
    post: [
      { op: 'softmax', axis: 1 },
      { op: 'upsample', to: 'input', interpolation: 'bilinear', alignCorners: true },
      { op: 'argmax', axis: 1 },
      BACK,
    ],
  },
  {
    name: 'semantic-nearest',
    task: 'semantic',
    way: [RGB, ...CUT],
    outputs: [OUT(4, 'map')],
    post: [{ op: 'upsample', to: 'input', interpolation: 'nearest' }, { op: 'argmax', axis: 1 }, BACK],
  },
  {
    name: 'semantic-image',
    seed: 4,
    task: 'semantic',
    way: [RGB, STRETCH],
    outputs: [OUT(4, 'map')],
    post: [{ op: 'upsample', to: 'image', interpolation: 'bilinear' }, { op: 'argmax', axis: 1 }, BACK],
  },
];

/** A bundle for every meaning. */
export function predictionCases(): Case[] {
  return DRAFTS.map((draft, at) => {
    const channels = draft.channels ?? 3;
    const { bytes, outputs } = tinyModel(draft.seed ?? 100 + at, channels, SIDES, draft.outputs);
    const scheme = draft.post.find(({ op }) => op === 'decode')?.['scheme'] ?? draft.name.replace(/-.*/, '-logits');
    const metadata = metadataOf({
      task: draft.task,
      preprocess: [...draft.way, RESCALE, ...(draft.normalize === undefined ? [] : [draft.normalize]), NCHW],
      postprocess: draft.post,
      outputs: outputs.map((output, i) => ({ ...output, semantics: scheme, ...draft.said?.[i] })),
      labels: draft.labels ?? LABELS,
      channels,
    });
    return { name: draft.name, metadata, model: bytes };
  });
}

/** Every way to change a picture's size, with every interpolation; no model. */
export function resizeCases(): Case[] {
  const cases: Case[] = [];
  for (const mode of ['letterbox', 'stretch', 'shorter-edge', 'longer-edge']) {
    for (const interpolation of ['nearest', 'bilinear', 'bicubic', 'area']) {
      for (const antialias of [false, true]) {
        for (const round of ['uint8', 'none']) {
          const step = resize({
            mode,
            interpolation,
            antialias,
            round,
            ...(mode.endsWith('edge') ? { size: 75 } : {}),
          });
          const preprocess = [RGB, step, { op: 'pad', multipleOf: 32, padValue: [1, 2, 3] }, NCHW];
          const metadata = metadataOf({
            task: 'detect',
            preprocess,
            postprocess: [],
            outputs: [],
            labels: [],
            channels: 3,
          });
          cases.push({ name: [mode, interpolation, antialias ? 'filtered' : 'plain', round].join('-'), metadata });
        }
      }
    }
  }
  return cases;
}

/** Coloured rectangles over a shade, with grain. */
export function picture(seed: number, width: number, height: number): Picture {
  const random = new Random(seed);
  const pixels = new Uint8Array(width * height * 3);
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = 30 + (i * 120) / pixels.length + random.below(30);
  for (let count = 0; count < 14; count += 1) {
    const [x0, y0] = [random.below(width), random.below(height)];
    const [x1, y1] = [x0 + 4 + random.below(width / 2), y0 + 4 + random.below(height / 2)];
    const ink = [random.below(256), random.below(256), random.below(256)];
    for (let y = y0; y < Math.min(y1, height); y += 1)
      for (let x = x0; x < Math.min(x1, width); x += 1) pixels.set(ink, (y * width + x) * 3);
  }
  return { width, height, channels: 3, pixels };
}

export const PICTURES: readonly Picture[] = [
  picture(1, 97, 61),
  picture(2, 45, 131),
  picture(3, 301, 203),
  picture(4, 128, 96),
];
