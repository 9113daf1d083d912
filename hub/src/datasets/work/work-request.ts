import type { ConversionInfo, DatasetFile, SynthOptions, UploadWish } from '@trainyard/plugin-sdk/dataset';
import type { DatasetFormat, Finding, TaskId } from '@trainyard/plugin-sdk';

/** What travels between the hub and the process that reads datasets: one request and one result, each a file in the folder of the work. */

export interface WorkFile {
  /** In the dataset. */
  readonly path: string;
  /** Where the bytes lie. */
  readonly file: string;
  readonly bytes: number;
  /** Null = not read yet. */
  readonly sha256: string | null;
}
export type WorkRequest =
  | { readonly kind: 'inspect'; readonly files: readonly WorkFile[]; readonly wish: UploadWish }
  | {
      readonly kind: 'convert';
      readonly files: readonly WorkFile[];
      readonly file: DatasetFile;
      readonly to: { readonly task: TaskId; readonly format: DatasetFormat };
    }
  | { readonly kind: 'synth'; readonly options: SynthOptions };

/** A file of the result; `made` ones were written by the work. */
export interface ResultFile extends WorkFile {
  readonly sha256: string;
  readonly made: boolean;
}
/** For the gallery; pixels of the original, rounded to a tenth. */
export interface DrawnLabel {
  readonly class: number;
  readonly box?: readonly number[];
  readonly rings?: readonly (readonly number[])[];
  readonly points?: readonly (readonly number[])[];
}
/** One line of items.ndjson. */
export interface ItemRow {
  readonly path: string;
  readonly split: string;
  readonly width: number;
  readonly height: number;
  readonly classes: readonly number[];
  readonly labels: readonly DrawnLabel[];
}
export interface Inspected {
  readonly kind: 'inspect';
  readonly file: DatasetFile;
  readonly because: string;
  readonly method: 'given' | 'auto';
  readonly files: readonly ResultFile[];
  readonly findings: readonly Finding[];
  readonly more: number;
  readonly images: number;
  readonly labels: number;
  readonly counts: readonly { readonly count: number; readonly splits: Readonly<Record<string, number>> }[];
  readonly turned: readonly string[];
  readonly ignored: readonly string[];
}
export type WorkResult =
  | Inspected
  | { readonly kind: 'unknown'; readonly because: string; readonly fix: string }
  | {
      readonly kind: 'convert';
      readonly file: DatasetFile;
      readonly info: ConversionInfo;
      readonly files: readonly ResultFile[];
    }
  | { readonly kind: 'synth'; readonly files: readonly WorkFile[] }
  | { readonly kind: 'failed'; readonly message: string; readonly finding: Finding | null };

export const ITEMS = 'items.ndjson';
