const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

export interface ArchiveLimits {
  readonly packedBytes: number;
  readonly unpackedBytes: number;
  readonly fileBytes: number;
  readonly entries: number;
  readonly pathBytes: number;
  readonly pathDepth: number;
  /** Unpacked : packed; counted only once `ratioFrom` bytes are unpacked, so small texts never trip it. */
  readonly ratio: number;
  readonly ratioFrom: number;
}

export const PACKAGE_LIMITS: ArchiveLimits = {
  packedBytes: 20 * MiB,
  unpackedBytes: 100 * MiB,
  fileBytes: 10 * MiB,
  entries: 5_000,
  pathBytes: 200,
  pathDepth: 16,
  ratio: 100,
  ratioFrom: 8 * MiB,
};

/** Byte totals of datasets are the organisation's quota: callers pass `{ ...DATASET_LIMITS, unpackedBytes }`. */
export const DATASET_LIMITS: ArchiveLimits = {
  packedBytes: 1024 * GiB,
  unpackedBytes: 1024 * GiB,
  fileBytes: 4 * GiB,
  entries: 2_000_000,
  pathBytes: 1_024,
  pathDepth: 16,
  ratio: 200,
  ratioFrom: 64 * MiB,
};

/** Text files of a package that the index keeps, with the most bytes each may have. A map: file names come from strangers, `constructor` among them. */
export const TEXT_LIMITS: ReadonlyMap<string, number> = new Map([
  ['package.json', 64 * 1024],
  ['trainer.yaml', 64 * 1024],
  ['config.schema.json', 64 * 1024],
  ['presets.json', 64 * 1024],
  ['README.md', 256 * 1024],
  ['LICENSE', 256 * 1024],
  ['CHANGELOG.md', 256 * 1024],
]);

/** What every package holds (contract.md §2). */
export const REQUIRED_FILES = [
  'package.json',
  'trainer.yaml',
  'config.schema.json',
  'presets.json',
  'README.md',
  'LICENSE',
] as const;
