/** The closed lists of the contract. Each word is spelled here once; hub, runner, validator, site, CLI and the Python SDK read it from here. */

export const CONTRACT_VERSION = '1.0';

export interface TaskWord {
  readonly title: string;
  readonly datasets: readonly string[];
  readonly predictions: string;
  /** Canonical primary metric; always maximised. */
  readonly primary: string;
  readonly metrics: readonly string[];
}

export const TASKS = {
  classify: {
    title: 'Image classification',
    datasets: ['imagefolder@1'],
    predictions: 'classification@1',
    primary: 'top1',
    metrics: ['top1', 'top5', 'precision', 'recall', 'f1'],
  },
  detect: {
    title: 'Object detection',
    datasets: ['yolo-detect@1', 'coco@1'],
    predictions: 'instances@1',
    primary: 'map50_95',
    metrics: ['map50_95', 'map50', 'precision', 'recall', 'f1', 'box_loss', 'cls_loss', 'dfl_loss'],
  },
  segment: {
    title: 'Instance segmentation',
    datasets: ['yolo-segment@1', 'coco@1'],
    predictions: 'instances@1',
    primary: 'mask_map50_95',
    metrics: [
      'mask_map50_95',
      'mask_map50',
      'mask_precision',
      'mask_recall',
      'box_map50_95',
      'box_map50',
      'miou',
      'seg_loss',
    ],
  },
  semantic: {
    title: 'Semantic segmentation',
    datasets: ['mask-png@1'],
    predictions: 'semantic@1',
    primary: 'miou',
    metrics: ['miou', 'pixel_accuracy', 'dice'],
  },
  pose: {
    title: 'Keypoints',
    datasets: ['yolo-pose@1', 'coco@1'],
    predictions: 'instances@1',
    primary: 'pose_map50_95',
    metrics: [
      'pose_map50_95',
      'pose_map50',
      'pose_precision',
      'pose_recall',
      'box_map50_95',
      'box_map50',
      'pck',
      'pose_loss',
      'kobj_loss',
    ],
  },
  obb: {
    title: 'Oriented boxes',
    datasets: ['yolo-obb@1'],
    predictions: 'instances@1',
    primary: 'map50_95',
    metrics: ['map50_95', 'map50', 'precision', 'recall', 'f1', 'box_loss', 'cls_loss', 'dfl_loss'],
  },
} as const satisfies Record<string, TaskWord>;
export type TaskId = keyof typeof TASKS;

export const VERBS = ['describe', 'validate', 'train', 'evaluate', 'predict', 'export'] as const;
export type Verb = (typeof VERBS)[number];
/** Verbs a person may start as a run. */
export const RUN_VERBS = ['train', 'evaluate', 'predict', 'export'] as const;
export type RunVerb = (typeof RUN_VERBS)[number];

export const DATASET_FORMATS = [
  'imagefolder@1',
  'yolo-detect@1',
  'yolo-segment@1',
  'yolo-pose@1',
  'yolo-obb@1',
  'coco@1',
  'mask-png@1',
] as const;
export type DatasetFormat = (typeof DATASET_FORMATS)[number];

export const EXPORT_FORMATS = [
  'onnx',
  'torchscript',
  'openvino',
  'ncnn',
  'executorch',
  'tflite',
  'coreml',
  'tensorrt',
] as const;
export const PRECISIONS = ['fp32', 'fp16', 'int8'] as const;
export const DEVICES = ['cpu', 'cuda'] as const;
export type Device = (typeof DEVICES)[number];

/** Metrics every task may report; direction is max unless listed in MINIMISED. */
export const COMMON_METRICS = ['loss', 'learning_rate', 'images_per_second'] as const;
export const MINIMISED = ['loss', 'box_loss', 'cls_loss', 'dfl_loss', 'seg_loss', 'pose_loss', 'kobj_loss'] as const;
export const METRIC_NAME = /^[a-z][a-z0-9_/.-]{0,127}$/;

export const TRAINER_NAME = /^@[a-z0-9][a-z0-9-]{1,38}\/[a-z0-9][a-z0-9._-]{1,62}$/;
export const MODEL_ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** Splits `@owner/name`; returns null when the text is not a trainer name. */
export function splitTrainerName(name: string): { owner: string; name: string } | null {
  if (!TRAINER_NAME.test(name)) return null;
  const slash = name.indexOf('/');
  return { owner: name.slice(1, slash), name: name.slice(slash + 1) };
}
