/** Types of predict.js: one exported Trainyard model in Node or in the browser. */

/** Bytes row by row: RGB, or RGBA whose alpha is left out (a canvas gives those). */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

export interface TensorData {
  readonly data: ArrayLike<number>;
  readonly dims: readonly number[];
}

/** Run lengths down the columns, background first; size is [height, width]. */
export interface Rle {
  readonly size: readonly [number, number];
  readonly counts: readonly number[];
}

export interface Instance {
  /** Index into `labels`. */
  readonly class: number;
  /** 0 to 1. */
  readonly score: number;
  /** x1 y1 x2 y2 in pixels of the picture. */
  readonly box: readonly number[];
  readonly mask?: { readonly rle: Rle };
  /** x, y, visibility. */
  readonly keypoints?: readonly (readonly number[])[];
  /** Four corners. */
  readonly obb?: readonly (readonly number[])[];
}

export interface ClassScore {
  readonly class: number;
  readonly score: number;
}

export interface IndexMask {
  readonly width: number;
  readonly height: number;
  /** Class of every pixel, row by row. */
  readonly data: Uint8Array;
}

/** Exactly one of classes, instances and mask is there. */
export interface Prediction {
  readonly width: number;
  readonly height: number;
  readonly classes?: readonly ClassScore[];
  readonly instances?: readonly Instance[];
  readonly mask?: IndexMask;
}

export interface Milliseconds {
  readonly pre: number;
  readonly infer: number;
  readonly post: number;
}

/** What this file takes of metadata.json (schema export/v1). */
export interface BundleMetadata {
  readonly schema: string;
  readonly model: { readonly task: string };
  readonly artifact: { readonly format: string };
  readonly inputs: readonly { readonly name: string; readonly dtype: string }[];
  readonly outputs: readonly { readonly name: string; readonly semantics: string }[];
  readonly preprocess: readonly { readonly op: string }[];
  readonly postprocess: readonly { readonly op: string }[];
  readonly labels: readonly string[];
}

/** The part of onnxruntime-node and onnxruntime-web that is used. */
export interface OrtModule {
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly Tensor: new (type: any, data: any, dims: readonly number[]) => unknown;
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly InferenceSession: { create(model: any, options?: any): Promise<any> };
}

/** The bundle or the picture cannot be used; the text says what and how to mend it. */
export class BundleError extends Error {}

export class Predictor {
  readonly metadata: BundleMetadata;
  readonly labels: readonly string[];
  constructor(ort: OrtModule, metadata: BundleMetadata, session: unknown);
  /** Throws BundleError when the bytes are no RGB or RGBA picture of that size. */
  preprocess(picture: Picture): { readonly data: ArrayLike<number>; readonly dims: readonly number[] };
  /** Outputs in the file's order. */
  postprocess(outputs: readonly TensorData[], size: { readonly width: number; readonly height: number }): Prediction;
  predict(picture: Picture): Promise<Prediction & { readonly ms: Milliseconds }>;
  release(): Promise<void>;
}

/** Throws BundleError for other schemas and formats, and what the runtime throws for a broken file. */
export function loadPredictor(
  ort: OrtModule,
  metadata: BundleMetadata,
  model: Uint8Array,
  options?: Readonly<Record<string, unknown>>,
): Promise<Predictor>;

export interface PixelGrid {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: ArrayLike<number>;
}

/** `whole` rounds to 0..255. Half-pixel centres always. */
export function resize(
  image: PixelGrid,
  height: number,
  width: number,
  interpolation?: 'nearest' | 'bilinear' | 'bicubic' | 'area',
  antialias?: boolean,
  whole?: boolean,
): PixelGrid & { readonly data: Float64Array };

export function encodeRle(mask: IndexMask): { size: [number, number]; counts: number[] };
export function decodeRle(rle: Rle): IndexMask;
