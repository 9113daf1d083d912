import { Problem, type TrainerEvent } from '@trainyard/plugin-sdk';
import type { AttemptHub } from '../agent/attempt-hub.ts';
import type { ArtifactKind } from '@trainyard/plugin-sdk/api';
import { isSuperseded } from '../agent/retry.ts';
import {
  MissingOutput,
  openOutput,
  outputPathProblem,
  readOutput,
  readOutputTree,
  RefusedOutput,
} from './output-file.ts';

type CheckpointEvent = Extract<TrainerEvent, { type: 'checkpoint' }>;
type ArtifactEvent = Extract<TrainerEvent, { type: 'artifact' }>;

interface Announced {
  readonly kind: ArtifactKind;
  readonly path: string;
  readonly mediaType: string;
  readonly meta: Readonly<Record<string, unknown>>;
  /** Digest the trainer announced; compared, not believed. */
  readonly claimed: string | null;
}

export interface ArtifactLimits {
  readonly bytes: number;
  /** Artifact events beyond this are noted and left out. */
  readonly artifacts: number;
}
export const ARTIFACT_LIMITS: ArtifactLimits = { bytes: 8 * 1024 * 1024 * 1024, artifacts: 500 };

/** Files and folders of the contract: taken at the end under their own kind, also when an event announced them. */
const KNOWN = new Set(['output/metrics.json', 'output/predictions.jsonl', 'output/config.effective.json']);

function isKnown(path: string): boolean {
  const folders = ['output/export', 'output/masks'];
  return KNOWN.has(path) || folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

/**
 * Takes what a run leaves behind, one thing after the other, while it goes on. Nothing here ends a run: what is refused becomes a note. Checkpoints
 * that the trainer pruned before they were sent are skipped; `finish` says which of the ones that matter are missing.
 */
export class ArtifactShipper {
  readonly #hub: Pick<AttemptHub, 'artifact' | 'upload'>;
  readonly #jobFolder: string;
  readonly #limits: ArtifactLimits;
  #queue: Promise<void> = Promise.resolve();
  #failure: unknown = null;
  #count = 0;
  #best: CheckpointEvent | null = null;
  #last: CheckpointEvent | null = null;
  readonly #recorded = new Set<string>();
  readonly #notes: string[] = [];

  constructor(
    hub: Pick<AttemptHub, 'artifact' | 'upload'>,
    jobFolder: string,
    limits: ArtifactLimits = ARTIFACT_LIMITS,
  ) {
    this.#hub = hub;
    this.#jobFolder = jobFolder;
    this.#limits = limits;
  }

  get notes(): readonly string[] {
    return this.#notes;
  }

  checkpoint(event: CheckpointEvent): void {
    if (event.kinds.some((kind) => kind === 'best')) this.#best = event;
    this.#last = event;
    this.#later(() => this.#ship(announcedCheckpoint(event), ['checkpoints'], true).then(() => undefined));
  }

  artifact(event: ArtifactEvent): void {
    if (isKnown(event.path)) return;
    this.#count += 1;
    if (this.#count > this.#limits.artifacts) {
      if (this.#count === this.#limits.artifacts + 1)
        this.#note(`Only the first ${this.#limits.artifacts} artifacts were taken.`);
      return;
    }
    const { path, mediaType, title, sha256 } = event;
    const kind: ArtifactKind = event.kind;
    const meta = title === undefined ? {} : { title };
    this.#later(() =>
      this.#ship({ kind, path, mediaType, meta, claimed: sha256 }, ['output'], false).then(() => undefined),
    );
  }

  /** A file or folder that the contract names; absent is fine. Answers whether it was recorded. */
  async known(
    kind: ArtifactKind,
    path: string,
    mediaType: string,
    meta: Record<string, unknown> = {},
  ): Promise<boolean> {
    await this.#settle();
    return this.#ship({ kind, path, mediaType, meta, claimed: null }, ['output'], true);
  }

  /** Sends what is waiting. Answers the ids of the best and the last checkpoint when they could not be taken. */
  async finish(): Promise<{ readonly missing: readonly string[] }> {
    await this.#settle();
    const missing: string[] = [];
    for (const event of new Set([this.#best, this.#last])) {
      if (event === null || this.#recorded.has(event.path)) continue;
      if (!(await this.#ship(announcedCheckpoint(event), ['checkpoints'], false))) missing.push(event.id);
    }
    return { missing };
  }

  #later(task: () => Promise<void>): void {
    this.#queue = this.#queue.then(async () => {
      if (this.#failure !== null) return;
      try {
        await task();
      } catch (error) {
        this.#failure = error;
      }
    });
  }

  async #settle(): Promise<void> {
    await this.#queue;
    if (this.#failure !== null) throw this.#failure;
  }

  #note(text: string): void {
    if (this.#notes.length < 100) this.#notes.push(text);
  }

  async #ship(announced: Announced, inside: readonly string[], mayBeAbsent: boolean): Promise<boolean> {
    const { path } = announced;
    const problem = outputPathProblem(path, inside);
    if (problem !== null) {
      this.#note(`${path.slice(0, 200)} ${problem} and was not taken.`);
      return false;
    }
    try {
      await this.#send(announced);
      this.#recorded.add(path);
      return true;
    } catch (error) {
      if (error instanceof MissingOutput && mayBeAbsent) return false;
      if (error instanceof RefusedOutput)
        this.#note(error.message.startsWith('It ') ? `${path}: ${error.message}` : error.message);
      else if (isSuperseded(error) || !(error instanceof Error) || error.name === 'AbortError') throw error;
      else this.#note(`${path} could not be stored: ${error.message}`);
      return false;
    }
  }

  async #send({ kind, path, mediaType, meta, claimed }: Announced): Promise<void> {
    const tree = await readOutputTree(this.#jobFolder, path, this.#limits.bytes);
    if (claimed !== null && claimed !== tree.sha256)
      throw new RefusedOutput(`${path} differs from the digest that was announced for it and was not taken.`);
    const announcement = { kind, path, mediaType, sha256: tree.sha256, files: tree.files, meta };
    // Twice round: signed addresses may run out during a long upload, and the second answer records.
    for (let round = 0; round < 4; round += 1) {
      const answer = await this.#hub.artifact(announcement);
      if (answer.recorded) return;
      try {
        for (const { sha256, url } of answer.missing) await this.#upload(tree, sha256, url);
      } catch (error) {
        if (!(error instanceof Problem && error.code === 'link-expired')) throw error;
      }
    }
    throw new RefusedOutput(`${path} was sent but the hub did not record it.`);
  }

  async #upload(tree: Awaited<ReturnType<typeof readOutputTree>>, sha256: string, url: string): Promise<void> {
    const digest = sha256.replace('sha256:', '');
    const entry = tree.files.find((file) => file.sha256 === digest);
    const where = tree.where.get(digest);
    if (entry === undefined || where === undefined) throw new RefusedOutput(`The hub asked for a file nobody has.`);
    const file = await openOutput(this.#jobFolder, where);
    try {
      await this.#hub.upload(url, entry.bytes, () => readOutput(file, entry.bytes));
    } finally {
      await file.close();
    }
  }
}

function announcedCheckpoint(event: CheckpointEvent): Announced {
  const { id, path, kinds, step, epoch, metric, format, resumable, sha256 } = event;
  const optional = { ...(epoch === undefined ? {} : { epoch }), ...(metric === undefined ? {} : { metric }) };
  const meta = { id, kinds, step, format, resumable, ...optional };
  return { kind: 'checkpoint', path, mediaType: 'application/octet-stream', meta, claimed: sha256 };
}
