import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { CheckpointEntry, CheckpointStore } from './checkpoint-store.ts';
import type { Dataset, DatasetClass, Sample } from './dataset-folder.ts';
import type { EffectiveDetails } from './effective-config.ts';
import { DatasetError, InputError } from './errors.ts';
import type { Split } from './event-writer.ts';
import { fileIn, type Job } from './job-file.ts';
import type { JsonObject } from './json-value.ts';
import { listSource, readPictures } from './picture-reader.ts';
import type { Picture } from './png.ts';
import { ResultFiles, type Timing } from './result-files.ts';
import type { CheckpointState, Phase, RunParts } from './run-parts.ts';
import type { ClassScore, Scores } from './scores.ts';
import { sha256Hex } from './stored-files.ts';
import { openState, requireDigest, requireSameJob, type StoredState } from './stored-state.ts';
import type { TrainerPackage } from './trainer-package.ts';

/**
 * What a trainer function works with. One per process; calls are made one after the other. Await `safePoint` at least once per batch: it lets
 * signals in and throws when the run shall stop. Do not catch what it throws; the state given by `saveOnStop` is then saved.
 */
export class Run {
  readonly job: Job;
  readonly trainer: TrainerPackage;
  readonly config: JsonObject;
  readonly options: JsonObject;
  readonly task: string;
  readonly model: string;
  readonly seed: number;
  /** Metric that decides `best`: the config's eval_metric or the task's primary one. */
  readonly decides: { readonly name: string; readonly minimise: boolean };
  readonly #parts: RunParts;
  readonly #results = new ResultFiles();
  #saver: (() => CheckpointState | null) | null = null;
  #step = 0;

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.job = parts.job;
    this.trainer = parts.trainer;
    this.config = parts.config;
    this.options = parts.options;
    this.task = parts.job.task;
    this.model = parts.job.model;
    this.seed = parts.job.seed;
    this.decides = parts.decides;
  }

  number(key: string): number {
    const value = this.config[key];
    if (typeof value !== 'number') throw new TypeError(`config key "${key}" is no number`);
    return value;
  }

  numberOrNull(key: string): number | null {
    const value = this.config[key];
    return typeof value === 'number' ? value : null;
  }

  text(key: string): string {
    const value = this.config[key];
    if (typeof value !== 'string') throw new TypeError(`config key "${key}" is no text`);
    return value;
  }

  flag(key: string): boolean {
    return this.config[key] === true;
  }

  get dataset(): Dataset {
    if (this.#parts.dataset === null)
      throw new DatasetError('The job names no dataset.', {
        code: 'dataset.missing',
        hint: 'Set "dataset" in job.json.',
      });
    return this.#parts.dataset;
  }

  get classes(): readonly DatasetClass[] {
    return this.dataset.classes;
  }

  get outputFolder(): string {
    return join(this.job.folder, 'output');
  }

  samples(split: string): readonly Sample[] {
    const samples = this.dataset.splits.get(split) ?? [];
    if (samples.length > 0) return samples;
    throw new DatasetError(`The split "${split}" holds no picture.`, {
      code: 'dataset.empty_split',
      hint: `Add pictures to ${split}.`,
    });
  }

  /** Decoded pictures of a split in list order. Those that cannot be read are counted and left out. */
  async *pictures(split: string): AsyncGenerator<{ sample: Sample; picture: Picture }> {
    const { folder } = this.dataset;
    yield* readPictures(
      this,
      this.samples(split).map((sample) => ({ sample, path: sample.path, file: fileIn(folder, sample.path) })),
    );
  }

  /** Pictures of a predict job, sorted by path; `path` is relative to the source folder. */
  async *sourcePictures(): AsyncGenerator<{ path: string; picture: Picture }> {
    const folder = fileIn(this.job.folder, this.job.predict.source);
    yield* readPictures(
      this,
      listSource(folder, this.job.predict.source).map((path) => ({ path, file: fileIn(folder, path) })),
    );
  }

  get stopping(): boolean {
    return this.#parts.watch.reason !== null;
  }

  async safePoint(): Promise<void> {
    this.#parts.usage.tick();
    await this.#parts.watch.safePoint();
  }

  /** Waits politely; ends early when a stop is asked for. */
  async pause(milliseconds: number): Promise<void> {
    await this.#parts.watch.pause(milliseconds);
  }

  async phase<T>(name: Phase, work: () => Promise<T> | T): Promise<T> {
    this.#parts.writer.emit('phase', { name, state: 'begin' });
    const result = await work();
    this.#parts.writer.emit('phase', { name, state: 'end' });
    return result;
  }

  metric(split: Split, values: Readonly<Record<string, number>>, at: { step: number; epoch?: number }): void {
    this.#step = Math.max(this.#step, at.step);
    if (split === 'train') this.#parts.weights.warnUnused();
    const speed = values['images_per_second'];
    if (speed !== undefined && Number.isFinite(speed)) this.#parts.usage.throughput = speed;
    this.#parts.writer.metric(split, at.step, at.epoch, values);
  }

  progress(
    unit: 'epoch' | 'step' | 'image' | 'file',
    current: number,
    total: number | null,
    etaSeconds: number | null = null,
  ): void {
    this.#parts.writer.progress(unit, current, total, etaSeconds);
  }

  /** Says what became of a config key; in train with the value read back from the object that uses it. */
  effective(key: string, value: unknown, details?: EffectiveDetails): void {
    this.#parts.effective.set(key, value, details);
  }

  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void {
    this.#parts.writer.emit('log', { level, message: message.slice(0, 4000) });
  }

  warn(code: string, message: string, hint?: string): void {
    this.#parts.writer.emit('warning', { code, message, ...(hint === undefined ? {} : { hint }) });
  }

  /** Announces a file below output/. */
  artifact(
    kind: 'plot' | 'table' | 'predictions' | 'report' | 'model' | 'image',
    path: string,
    mediaType: string,
    title?: string,
  ): void {
    const bytes = readFileSync(join(this.outputFolder, path));
    const named = title === undefined ? {} : { title };
    this.#parts.writer.emit('artifact', {
      kind,
      path: `output/${path}`,
      mediaType,
      ...named,
      bytes: bytes.length,
      sha256: sha256Hex(bytes),
    });
  }

  /** Called once, before the first step: gives the state to save when the run is stopped; null when nothing was learnt yet. */
  saveOnStop(saver: () => CheckpointState | null): void {
    this.#saver = saver;
  }

  /** Writes a checkpoint and announces it. Safe against being killed at any moment. */
  checkpoint(state: CheckpointState): CheckpointEntry {
    const store = this.#store();
    const { name, minimise } = this.decides;
    const held = store.best?.metric?.value;
    const better =
      state.metric !== undefined && (held === undefined || (minimise ? state.metric < held : state.metric > held));
    const entry = store.write({
      step: state.step,
      epoch: state.epoch,
      files: state.files,
      format: state.format ?? 'safetensors',
      best: better,
      periodic: state.periodic ?? false,
      ...(state.metric === undefined ? {} : { metric: { name, value: state.metric } }),
      configDigest: this.job.configDigest,
      datasetDigest: this.job.dataset?.digest ?? null,
    });
    const { files: _files, configDigest: _config, datasetDigest: _dataset, ...shown } = entry;
    this.#parts.writer.emit('checkpoint', shown);
    return entry;
  }

  /** Saves what `saveOnStop` gives; returns the id a resume starts from. */
  saveForStop(): string | null {
    const store = this.#parts.store;
    if (store === null) return null;
    const state = this.#saver?.() ?? null;
    if (state !== null && store.last?.step !== state.step) return this.checkpoint(state).id;
    return store.last?.id ?? null;
  }

  get best(): CheckpointEntry | null {
    return this.#parts.store?.best ?? null;
  }

  stored(entry: CheckpointEntry): StoredState {
    return openState(this.#store().folderOf(entry), entry.path, entry.id, entry.step);
  }

  /** State of the checkpoint that job.resume names, checked; null on a fresh start. */
  resume(): StoredState | null {
    const { resume } = this.job;
    if (resume === null) return null;
    const folder = fileIn(this.job.folder, resume.checkpoint);
    const entry = this.#store().find(resume.checkpoint);
    requireDigest('checkpoint', folder, resume.checkpoint, entry?.sha256 ?? null);
    this.#step = resume.step;
    if (entry !== null) requireSameJob(entry, this.job);
    return openState(folder, resume.checkpoint, basename(resume.checkpoint), entry?.step ?? resume.step);
  }

  /** Folder or file of initial weights, checked; null means random ones. To be asked before the first step. */
  weightsPath(): string | null {
    return this.#parts.weights.ask();
  }

  /** The checkpoint that evaluate, predict and export work on, checked. */
  source(): StoredState {
    const { checkpoint } = this.job;
    if (checkpoint === null) {
      throw new InputError('The job names no checkpoint.', {
        hint: 'Set "checkpoint" in job.json to a folder in input/checkpoint.',
      });
    }
    const folder = fileIn(this.job.folder, checkpoint.path);
    requireDigest('checkpoint', folder, checkpoint.path, checkpoint.sha256);
    return openState(folder, checkpoint.path, basename(checkpoint.path), 0);
  }

  /** Adds one line to predictions.jsonl. */
  prediction(image: string, picture: Picture, classes: readonly ClassScore[], ms: Timing): void {
    this.#results.add(image, picture, classes, ms);
  }

  writePredictions(): void {
    this.#results.writePredictions(this.outputFolder);
    this.artifact('predictions', 'predictions.jsonl', 'application/x-ndjson', 'Predictions');
  }

  /** Writes metrics.json. */
  report(split: string, images: number, scores: Scores, more: Readonly<Record<string, number>> = {}): void {
    const task = this.trainer.tasks.get(this.task);
    const name = task?.primary ?? this.decides.name;
    const direction = task?.minimised.has(name) === true ? 'min' : 'max';
    this.#results.writeReport(
      this.outputFolder,
      { task: this.task, split, images, primary: { name, direction } },
      scores,
      more,
    );
    this.artifact('report', 'metrics.json', 'application/json', 'Metrics');
  }

  #store(): CheckpointStore {
    if (this.#parts.store === null) throw new TypeError(`checkpoints belong to train, not to ${this.job.command}`);
    return this.#parts.store;
  }
}
