import type { FileEntry, RunJobSpec, WeightsRef } from '@trainyard/plugin-sdk';
import type { RunInput } from '@trainyard/plugin-sdk/api';
import type { ReleaseRow } from '../../trainers/find-release.ts';
import type { Delivered, SnapshotRow } from './choose-dataset.ts';
import { predictRules } from './choose-images.ts';
import type { FrozenRun } from './frozen-run.ts';
import { nameArtifact, type ParentRow } from './read-parent.ts';
import type { Settings } from './resolve-settings.ts';

const DEFAULT_SECONDS = 24 * 3600;
const DEFAULT_GRACE = 60;
const LIMITS = { cpus: 2, memoryBytes: 8 * 1024 ** 3, shmBytes: 1024 ** 3 };

/** What was chosen, each part by its own rules. */
export interface Choices {
  readonly input: RunInput;
  readonly parent: ParentRow | null;
  readonly release: ReleaseRow;
  readonly task: string;
  readonly model: string;
  readonly snapshot: SnapshotRow | null;
  readonly delivered: Delivered | null;
  readonly settings: Settings;
  readonly device: RunJobSpec['device'];
  readonly exported: NonNullable<RunJobSpec['export']> | null;
  readonly images: FileEntry[];
  readonly weights: WeightsRef | null;
}

/** Pure: choices → what the run is started with. */
export function writeFrozenRun(choices: Choices): FrozenRun {
  const { input, parent, release, model, snapshot } = choices;
  return {
    release,
    request: input.config ?? {},
    preset: input.preset ?? null,
    snapshotId: snapshot?.id ?? null,
    datasetName: snapshot?.name ?? null,
    parent: parent?.id ?? null,
    checkpointId: parent?.artifact ?? null,
    pictures: input.verb === 'predict' ? (input.pictures ?? null) : null,
    name: input.name ?? (input.verb === 'train' ? `${model} on ${snapshot?.name ?? 'data'}` : `${input.verb} ${model}`),
    spec: writeSpec(choices),
  };
}

function writeSpec(choices: Choices): FrozenRun['spec'] {
  const { input, parent, release, snapshot, delivered, settings, exported, weights } = choices;
  const thresholds = {
    ...(input.threshold === undefined ? {} : { threshold: input.threshold }),
    ...(input.iou === undefined ? {} : { iou: input.iou }),
  };
  return {
    kind: input.verb,
    release: {
      id: release.id,
      name: `@${release.owner}/${release.name}`,
      version: release.version,
      packageDigest: release.package_digest,
      packageBytes: release.package_bytes,
    },
    task: choices.task,
    model: choices.model,
    config: settings.config,
    configDigest: settings.digest,
    seed: settings.seed,
    dataset:
      snapshot === null || delivered === null
        ? null
        : // The digest of a converted view is known once it is made, see deliverDataset.
          { snapshot: snapshot.id, digest: snapshot.digest, ...delivered },
    device: choices.device,
    limits: { ...LIMITS, maxSeconds: input.maxSeconds ?? DEFAULT_SECONDS },
    grace: release.manifest.resources?.grace ?? DEFAULT_GRACE,
    ...(weights === null ? {} : { weights }),
    ...nameArtifact(parent),
    ...(input.verb === 'evaluate' ? { evaluate: { split: input.split ?? 'val', ...thresholds } } : {}),
    ...(input.verb === 'predict' ? { predict: { images: choices.images, ...predictRules(input), ...thresholds } } : {}),
    ...(exported === null ? {} : { export: exported }),
  };
}
