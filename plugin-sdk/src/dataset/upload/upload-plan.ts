/** What a pile of uploaded files becomes: which picture and which text lies where in the canonical layout of contract.md §6.2. */
import type { DatasetFile } from '../dataset-file.ts';
import type { Note } from '../reading.ts';
import type { DatasetFormat, TaskId } from '../../vocabulary.ts';

/** The files of an upload, under paths without the folder they all lie in. */
export interface UploadedFiles {
  readonly paths: readonly string[];
  /** The folder that was taken off, with its slash; empty when there was none. */
  readonly root: string;
  text(path: string): Promise<string | null>;
  bytes(path: string): Promise<Uint8Array | null>;
  digest(path: string): Promise<string | null>;
}

/** Where something of the plan stands in what the person uploaded. */
export interface Origin {
  readonly file: string;
  readonly line?: number;
  readonly pointer?: string;
}

export interface UploadPlan {
  readonly file: DatasetFile;
  /** What the format was recognised by, in words. */
  readonly because: string;
  /** Canonical path → path of the upload. */
  readonly from: ReadonlyMap<string, string>;
  /** Canonical path → text that no file of the upload has as it is: lists, annotations that were divided. */
  readonly made: ReadonlyMap<string, string>;
  /** Canonical path → path that the person knows, also of files that are missing. */
  readonly words: ReadonlyMap<string, string>;
  /** Of pictures that only an annotation names. */
  readonly named: ReadonlyMap<string, Origin>;
  /** For annotations that were divided: where their entries stood. */
  origin(file: string, pointer: string): Promise<Origin | null>;
  readonly method: 'given' | 'auto';
  /** Known before a picture is opened. */
  readonly notes: readonly Note[];
  /** Files that no part of the dataset needs. */
  readonly ignored: readonly string[];
}

/** What the person said, or what was recognised. */
export interface Recognised {
  readonly format: DatasetFormat;
  readonly task: TaskId;
  readonly because: string;
  /** In the order of the upload's own list; null = it has none. */
  readonly classes: readonly string[] | null;
  readonly keypoints: number | null;
}

/** Every picture is a file of the upload, and no annotation was divided. */
export const AS_UPLOADED: Pick<UploadPlan, 'named' | 'origin'> = {
  named: new Map(),
  origin: () => Promise.resolve(null),
};

/** A name of a class, a key point or a folder as it is kept. */
export function plainName(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text
    .normalize('NFC')
    .replaceAll(/[\u0000-\u001f\u007f]+/g, ' ')
    .trim();
}
