/** One in-memory shape for every dataset format: a picture by path, its size, and what is on it, in pixels of the original. */
import type { DatasetFile } from './dataset-file.ts';

export type Point = readonly [x: number, y: number];
/** Corners x1 y1 x2 y2, half-open. */
export type Box = readonly [x1: number, y1: number, x2: number, y2: number];
export type Ring = readonly Point[];
export type Corners = readonly [Point, Point, Point, Point];
/** 0 absent, 1 hidden, 2 visible. */
export type Keypoint = readonly [x: number, y: number, seen: 0 | 1 | 2];

/** Runs down the columns, first run is background, as COCO has it. */
export interface Rle {
  readonly size: readonly [height: number, width: number];
  readonly counts: readonly number[];
}
/** One byte per pixel, row by row. */
export interface IndexMask {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export type Label =
  | { readonly kind: 'class'; readonly class: number }
  | { readonly kind: 'box'; readonly class: number; readonly box: Box; readonly crowd?: boolean }
  /** Rings are filled by the even-odd rule: a ring inside another is a hole. */
  | { readonly kind: 'polygon'; readonly class: number; readonly rings: readonly Ring[] }
  | { readonly kind: 'rle'; readonly class: number; readonly rle: Rle; readonly crowd?: boolean }
  | { readonly kind: 'keypoints'; readonly class: number; readonly box: Box; readonly points: readonly Keypoint[] }
  | { readonly kind: 'obb'; readonly class: number; readonly corners: Corners }
  /** The whole picture: value = class index, 255 = ignore. */
  | { readonly kind: 'mask'; readonly mask: IndexMask };

export interface Item {
  readonly image: string;
  readonly width: number;
  readonly height: number;
  readonly split: string;
  readonly labels: readonly Label[];
}

export type ClassEntry = DatasetFile['classes'][number];
export type KeypointSpec = NonNullable<DatasetFile['keypoints']>;
/** What a dataset says about itself before its files are known. */
export type DatasetHeader = Pick<DatasetFile, 'name' | 'task' | 'format' | 'classes' | 'keypoints' | 'license'>;
