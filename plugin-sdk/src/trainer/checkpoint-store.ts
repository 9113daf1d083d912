import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isObject, listAt, numberAt, objectAt, textAt, textsAt } from './json-value.ts';
import { digestFolder, replaceFile, syncFolder, writeSynced, type FileDigest } from './stored-files.ts';

export type CheckpointKind = 'best' | 'last' | 'periodic';

export interface CheckpointEntry {
  readonly id: string;
  readonly path: string;
  kinds: CheckpointKind[];
  readonly step: number;
  readonly epoch: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly files: readonly FileDigest[];
  readonly resumable: boolean;
  readonly format: string;
  readonly metric?: { readonly name: string; readonly value: number };
  readonly configDigest: string | null;
  readonly datasetDigest: string | null;
}

export interface NewCheckpoint {
  readonly step: number;
  readonly epoch: number;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly format: string;
  readonly best: boolean;
  readonly periodic: boolean;
  readonly metric?: { readonly name: string; readonly value: number };
  readonly configDigest: string | null;
  readonly datasetDigest: string | null;
}

/**
 * `checkpoints/` of a job. A checkpoint is written aside, synced and renamed; the index follows the same way and last, so at any moment it
 * names only what is complete. Older ones go after the index stopped naming them. Kept: the last two, the best, the periodic ones.
 */
export class CheckpointStore {
  readonly #folder: string;
  #history: CheckpointEntry[] = [];
  #next = 1;

  /** `keep`: folder name of the checkpoint that a resume starts from; null begins anew and clears what an earlier start left behind. */
  constructor(folder: string, keep: string | null) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    if (keep !== null) this.#history = readIndex(join(folder, 'index.json'));
    else rmSync(join(folder, 'index.json'), { force: true });
    const named = new Set([...this.#history.map((entry) => basename(entry.path)), keep]);
    for (const name of readdirSync(folder)) {
      const ours = name.startsWith('.tmp-') || name === 'index.json.tmp' || /^c-\d{6}$/.test(name);
      if (ours && !named.has(name)) rmSync(join(folder, name), { recursive: true, force: true });
      else if (/^c-\d{6}$/.test(name)) this.#next = Math.max(this.#next, Number(name.slice(2)) + 1);
    }
    this.#history = this.#history.filter((entry) => existsSync(join(folder, basename(entry.path))));
  }

  get best(): CheckpointEntry | null {
    return this.#history.find((entry) => entry.kinds.includes('best')) ?? null;
  }

  get last(): CheckpointEntry | null {
    return this.#history.at(-1) ?? null;
  }

  find(path: string): CheckpointEntry | null {
    return this.#history.find((entry) => basename(entry.path) === basename(path)) ?? null;
  }

  folderOf(entry: CheckpointEntry): string {
    return join(this.#folder, basename(entry.path));
  }

  write(checkpoint: NewCheckpoint): CheckpointEntry {
    const id = `c-${String(this.#next).padStart(6, '0')}`;
    const aside = join(this.#folder, `.tmp-${id}`);
    try {
      rmSync(aside, { recursive: true, force: true });
      mkdirSync(aside);
      for (const [path, bytes] of Object.entries(checkpoint.files)) {
        mkdirSync(dirname(join(aside, path)), { recursive: true });
        writeSynced(join(aside, path), bytes);
      }
      syncFolder(aside);
    } catch (error) {
      rmSync(aside, { recursive: true, force: true });
      throw error;
    }
    const digest = digestFolder(aside);
    renameSync(aside, join(this.#folder, id));
    syncFolder(this.#folder);
    this.#next += 1;
    const kinds: CheckpointKind[] = [
      'last',
      ...(checkpoint.best ? ['best' as const] : []),
      ...(checkpoint.periodic ? ['periodic' as const] : []),
    ];
    const { step, epoch, format, metric, configDigest, datasetDigest } = checkpoint;
    const entry: CheckpointEntry = {
      ...{
        id,
        path: `checkpoints/${id}`,
        kinds,
        step,
        epoch,
        bytes: digest.bytes,
        sha256: digest.sha256,
        files: digest.files,
      },
      ...{ resumable: true, format, ...(metric === undefined ? {} : { metric }), configDigest, datasetDigest },
    };
    this.#adopt(entry);
    return entry;
  }

  #adopt(entry: CheckpointEntry): void {
    const gone = new Set<CheckpointKind>(entry.kinds.filter((kind) => kind !== 'periodic'));
    for (const older of this.#history) older.kinds = older.kinds.filter((kind) => !gone.has(kind));
    this.#history.push(entry);
    const recent = new Set(this.#history.slice(-2));
    const dropped = this.#history.filter((older) => older.kinds.length === 0 && !recent.has(older));
    this.#history = this.#history.filter((older) => !dropped.includes(older));
    const index = { schema: 'checkpoints@1', last: entry.id, best: this.best?.id ?? null, history: this.#history };
    try {
      replaceFile(join(this.#folder, 'index.json'), `${JSON.stringify(index, null, 1)}\n`);
    } catch (error) {
      // The old index still holds; what it does not name must not stay behind on a full disk.
      rmSync(join(this.#folder, 'index.json.tmp'), { force: true });
      rmSync(this.folderOf(entry), { recursive: true, force: true });
      throw error;
    }
    for (const older of dropped) rmSync(this.folderOf(older), { recursive: true, force: true });
  }
}

/** Entries of an index; an index that cannot be read counts as none. */
function readIndex(path: string): CheckpointEntry[] {
  if (!existsSync(path)) return [];
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return [];
  }
  return listAt(value, 'history')
    .filter(isObject)
    .map((item) => {
      const metric = objectAt(item, 'metric');
      const name = textAt(metric, 'name');
      const score = numberAt(metric, 'value');
      const files = listAt(item, 'files').map((file) => ({
        path: textAt(file, 'path') ?? '',
        bytes: numberAt(file, 'bytes') ?? 0,
        sha256: textAt(file, 'sha256') ?? '',
      }));
      return {
        id: textAt(item, 'id') ?? '',
        path: textAt(item, 'path') ?? '',
        kinds: textsAt(item, 'kinds').filter((kind) => kind === 'best' || kind === 'last' || kind === 'periodic'),
        step: numberAt(item, 'step') ?? 0,
        epoch: numberAt(item, 'epoch') ?? 0,
        bytes: numberAt(item, 'bytes') ?? 0,
        sha256: textAt(item, 'sha256') ?? '',
        files,
        resumable: item['resumable'] !== false,
        format: textAt(item, 'format') ?? 'other',
        ...(name === null || score === null ? {} : { metric: { name, value: score } }),
        configDigest: textAt(item, 'configDigest'),
        datasetDigest: textAt(item, 'datasetDigest'),
      };
    });
}
