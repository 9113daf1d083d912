import {
  Problem,
  TASKS,
  type FileEntry,
  type RunJobSpec,
  type StoredArtifact,
  type WeightsRef,
} from '@trainyard/plugin-sdk';
import type { Preflight, RunInput } from '@trainyard/plugin-sdk/api';
import {
  nearest,
  presetValuesFor,
  resolveConfig,
  type Config,
  type ConfigSchema,
  type Preset,
} from '@trainyard/plugin-sdk/config';
import { wayTo } from '../datasets/ensure-view.ts';
import { canRead, notFound } from '../platform/access.ts';
import type { Principal } from '../platform/principal.ts';
import { query } from '../platform/sql.ts';
import { audienceOf, findRelease, findReleaseById, isListedFor, type ReleaseRow } from '../trainers/find-release.ts';
import { resolveWeights } from '../weights/choose-weights.ts';
import type { RunDeps } from './deps.ts';
import { estimateRun } from './estimate-run.ts';
import { imagesToPredict, predictRules } from './predict-inputs.ts';

type PreflightProblem = Preflight['problems'][number];

/** Everything a run is started with, decided once and never changed. `spec` lacks only the id of the run. */
export interface FrozenRun {
  readonly release: ReleaseRow;
  readonly spec: Omit<RunJobSpec, 'run'>;
  readonly request: Record<string, unknown>;
  readonly preset: string | null;
  readonly snapshotId: string | null;
  readonly datasetName: string | null;
  readonly parent: string | null;
  readonly checkpointId: string | null;
  /** Set of uploaded pictures that predict looks at. */
  readonly pictures: string | null;
  readonly name: string;
}
export interface Freeze {
  readonly preflight: Preflight;
  readonly frozen: FrozenRun | null;
}

interface SnapshotRow {
  id: string;
  digest: string;
  format: string;
  task: string;
  splits: { name: string; count: number }[];
  organization_id: string;
  visibility: string;
  name: string;
}
interface ParentRow {
  id: string;
  organization_id: string;
  visibility: string;
  release: string;
  task: string;
  model: string;
  config: Record<string, unknown>;
  config_digest: string;
  seed: number;
  snapshot: string | null;
  kind: string;
  artifact: string;
  path: string;
  sha256: string;
  files: FileEntry[];
  meta: Record<string, unknown>;
}

const DEFAULT_SECONDS = 24 * 3600;
const DEFAULT_GRACE = 60;

/** Collects what stops a start instead of stopping at the first thing, so that a person mends all of it at once. */
class Complaints {
  readonly list: PreflightProblem[] = [];
  add(code: string, message: string, fix: string, more: { pointer?: string; href?: string } = {}): void {
    this.list.push({ code, message, fix, ...more });
  }
}

function splitName(text: string): { owner: string; name: string } {
  const [owner, name] = text.replace(/^@/, '').split('/');
  if (owner === undefined || name === undefined || name === '')
    throw new Problem('bad-request', {
      detail: `${JSON.stringify(text)} is not a trainer name.`,
      fix: 'Write owner/name.',
    });
  return { owner, name };
}

async function readParent(deps: RunDeps, principal: Principal, input: RunInput): Promise<ParentRow> {
  const exported = input.export !== undefined && (input.verb === 'evaluate' || input.verb === 'predict');
  const kind = exported ? 'export' : 'checkpoint';
  const [row] = await query<ParentRow>(
    deps.db.pool,
    `select coalesce(case when a.kind = 'export' then run.parent end, run.id) as id, a.kind, run.organization_id, run.visibility, run.release, run.task, run.model, run.config, run.config_digest, run.seed, run.snapshot,
       a.id as artifact, a.path, a.sha256, a.files, a.meta
     from artifact a join run on run.id::text = a.subject where a.id::text = $1 and a.kind = $2`,
    [(exported ? input.export : input.checkpoint) ?? '', kind],
  );
  if (row === undefined || !canRead(principal, { organizationId: row.organization_id, visibility: row.visibility }))
    throw notFound(kind);
  return row;
}

async function readSnapshot(
  deps: RunDeps,
  principal: Principal,
  input: { dataset?: string; snapshot?: string },
): Promise<SnapshotRow> {
  const [row] = await query<SnapshotRow>(
    deps.db.pool,
    `select s.id, s.digest, s.format, s.task, s.splits, d.organization_id, d.visibility, d.name from snapshot s join dataset d on d.id = s.dataset
     where d.deleted_at is null and (s.id::text = $1 or ($1::text is null and d.id::text = $2)) order by s.number desc limit 1`,
    [input.snapshot ?? null, input.dataset ?? null],
  );
  if (row === undefined || !canRead(principal, { organizationId: row.organization_id, visibility: row.visibility }))
    throw notFound('dataset');
  return row;
}

function checkRelease(release: ReleaseRow, complaints: Complaints, fresh: boolean): void {
  const label = `${release.owner}/${release.name} ${release.version}`;
  if (release.state === 'yanked' && fresh)
    throw new Problem('release-yanked', {
      detail: `${label} was withdrawn: ${release.reason ?? 'no reason given'}.`,
      fix: 'Choose another version.',
    });
  const runnable =
    release.state === 'published' || release.state === 'deprecated' || (release.state === 'yanked' && !fresh);
  if (!runnable) {
    complaints.add(
      'release-not-published',
      `${label} is ${release.state}, not published.`,
      'Open its report to see what it waits for.',
      { href: `/releases/${release.id}/report` },
    );
  }
}

function checkModel(release: ReleaseRow, task: string, model: string, complaints: Complaints): void {
  if (!release.tasks.includes(task)) {
    complaints.add('unsupported.task', `This trainer does not do ${task}.`, `It does: ${release.tasks.join(', ')}.`, {
      pointer: '/task',
    });
    return;
  }
  const known = release.manifest.models.filter((entry) => entry.tasks.includes(task));
  const fits = known.some(
    (entry) => entry.id === model || (entry.pattern !== undefined && /^[a-z0-9][a-z0-9._-]{0,63}$/.test(model)),
  );
  if (!fits) {
    const close = nearest(
      model,
      known.flatMap((entry) => (entry.id === undefined ? [] : [entry.id])),
    );
    complaints.add(
      'unsupported.model',
      `This trainer has no model ${model} for ${task}.`,
      close === null ? 'Choose one of its models.' : `Did you mean ${close}?`,
      { pointer: '/model' },
    );
  }
}

/** The form in which the trainer gets the snapshot; null when there is none. Predict needs no labels, so any pictures will do. */
function checkDataset(
  release: ReleaseRow,
  task: string,
  snapshot: SnapshotRow | null,
  verb: string,
  complaints: Complaints,
  warn: (code: string, message: string) => void,
): { task: string; format: string } | null {
  if (snapshot === null) {
    if (verb === 'train' || verb === 'evaluate')
      complaints.add('dataset-missing', 'No dataset is chosen.', 'Choose a dataset, or upload one.', {
        pointer: '/dataset',
        href: '/datasets/new',
      });
    return null;
  }
  const formats = release.manifest.tasks.find((entry) => entry.id === task)?.datasets ?? [];
  const way = wayTo(snapshot, task, formats);
  if (verb === 'predict') return way === null || way.converted ? null : way.to;
  if (way === null) {
    const title = task in TASKS ? TASKS[task as keyof typeof TASKS].title : task;
    complaints.add(
      'dataset-mismatch',
      `${snapshot.name} is ${snapshot.format} for ${snapshot.task}; ${title} here needs ${formats.join(' or ') || 'another format'}.`,
      'Choose another dataset.',
      { pointer: '/dataset' },
    );
    return null;
  }
  if (way.converted)
    warn(
      way.loses === null ? 'dataset-converted' : 'dataset-converted-lossy',
      `${snapshot.name} is ${snapshot.format} for ${snapshot.task}; the trainer gets it converted to ${way.to.format}. ${
        way.loses === null ? 'No label is lost.' : `On the way ${way.loses}.`
      }`,
    );
  const counts = new Map(snapshot.splits.map((split) => [split.name, split.count]));
  for (const split of verb === 'train' ? ['train', 'val'] : []) {
    if ((counts.get(split) ?? 0) === 0)
      complaints.add(
        'dataset-empty-split',
        `${snapshot.name} has no pictures in ${split}.`,
        'Upload it again with pictures there.',
        { pointer: '/dataset' },
      );
  }
  return way.to;
}

/**
 * Resolves a request to exactly what would run: release digest, config and its digest, snapshot, seed, limits. Unknown keys are refused, nothing is
 * coerced. Objects the caller may not see are 404; everything else that stops a start is collected in `preflight.problems`.
 */
export async function freezeRun(deps: RunDeps, principal: Principal, input: RunInput): Promise<Freeze> {
  const complaints = new Complaints();
  const warnings: { code: string; message: string }[] = [];
  const parent = input.verb === 'train' ? null : await readParent(deps, principal, input);
  const release =
    parent === null ? await releaseOf(deps, principal, input) : await findReleaseById(deps.db.pool, parent.release);
  if (release === null) throw notFound('trainer');
  checkRelease(release, complaints, parent === null);
  if (release.state === 'deprecated')
    warnings.push({
      code: 'release-deprecated',
      message: `This version is deprecated: ${release.reason ?? 'use a newer one'}.`,
    });
  const task = parent?.task ?? input.task ?? release.tasks[0] ?? 'classify';
  const preset = release.presets.find((entry) => entry['id'] === input.preset);
  if (input.preset !== undefined && preset === undefined)
    complaints.add('config-invalid', `There is no preset ${input.preset}.`, 'Choose one of the listed presets.', {
      pointer: '/preset',
    });
  const model =
    parent?.model ??
    input.model ??
    (typeof preset?.['model'] === 'string'
      ? preset['model']
      : (release.manifest.models.find((entry) => entry.id !== undefined && entry.tasks.includes(task))?.id ?? ''));
  if (parent === null) checkModel(release, task, model, complaints);
  const wantsData =
    input.verb === 'train' ||
    input.verb === 'evaluate' ||
    input.verb === 'predict' ||
    input.snapshot !== undefined ||
    input.dataset !== undefined ||
    parent?.snapshot != null;
  const chosen = {
    ...(input.dataset === undefined ? {} : { dataset: input.dataset }),
    ...(input.snapshot === undefined ? {} : { snapshot: input.snapshot }),
  };
  const reference =
    Object.keys(chosen).length > 0 ? chosen : parent?.snapshot == null ? null : { snapshot: parent.snapshot };
  const snapshot = wantsData && reference !== null ? await readSnapshot(deps, principal, reference) : null;
  const delivered = checkDataset(release, task, snapshot, input.verb, complaints, (code, message) =>
    warnings.push({ code, message }),
  );

  const schema = JSON.parse(release.config_schema) as ConfigSchema;
  const resolved =
    parent === null
      ? resolveConfig({
          schema,
          task,
          preset:
            preset === undefined
              ? null
              : { id: String(preset['id']), values: presetValuesFor(preset as unknown as Preset, schema, task) },
          values: (input.config ?? {}) as Config,
        })
      : { config: parent.config, digest: parent.config_digest, problems: [] };
  for (const problem of resolved.problems)
    complaints.add(problem.code, problem.message, problem.fix, { pointer: `/config${problem.pointer}` });
  if (parent === null) {
    const checked = await deps.schemas.validateConfig(release.config_schema, task, resolved.config as Config);
    const known = new Set(resolved.problems.map((problem) => problem.pointer));
    for (const error of checked.errors.filter((item) => !known.has(item.pointer)))
      complaints.add('config.invalid', error.message, error.fix, { pointer: `/config${error.pointer}` });
  }
  const device = input.device ?? 'cpu';
  if (!release.devices.includes(device))
    complaints.add(
      'unsupported.device',
      `This trainer does not run on ${device}.`,
      `It runs on: ${release.devices.join(', ')}.`,
      { pointer: '/device' },
    );
  const exported = input.verb === 'export' ? checkExport(release, task, model, input, complaints) : null;
  const images = input.verb === 'predict' ? await imagesToPredict(deps, principal, snapshot?.id ?? null, input) : [];
  const weights = await weightsOf(deps, principal, release, model, input, complaints);
  if (input.verb === 'predict' && images.length === 0)
    complaints.add('dataset-missing', 'There is no picture to predict.', 'Choose a dataset with pictures.', {
      pointer: '/images',
    });

  const seedValue = resolved.config['seed'];
  const seed = parent?.seed ?? (typeof seedValue === 'number' ? seedValue : 42);
  const stored: StoredArtifact | null =
    parent === null
      ? null
      : {
          id: parent.artifact,
          name: String(parent.meta['id'] ?? 'checkpoint'),
          path: parent.path,
          sha256: parent.sha256,
          step: Number(parent.meta['step'] ?? 0),
          meta: parent.meta,
          files: parent.files,
        };
  const thresholds = {
    ...(input.threshold === undefined ? {} : { threshold: input.threshold }),
    ...(input.iou === undefined ? {} : { iou: input.iou }),
  };
  const ok = complaints.list.length === 0;
  const preflight: Preflight = {
    ok,
    problems: complaints.list,
    warnings,
    config: resolved.config as Record<string, unknown>,
    configDigest: resolved.digest,
    estimate: ok
      ? await estimateRun(deps.db.pool, {
          release: release.id,
          verb: input.verb,
          model,
          epochs: resolved.config['epochs'],
        })
      : null,
  };
  if (!ok) return { preflight, frozen: null };
  return {
    preflight,
    frozen: {
      release,
      request: input.config ?? {},
      preset: input.preset ?? null,
      snapshotId: snapshot?.id ?? null,
      datasetName: snapshot?.name ?? null,
      parent: parent?.id ?? null,
      checkpointId: parent?.artifact ?? null,
      pictures: input.verb === 'predict' ? (input.pictures ?? null) : null,
      name:
        input.name ?? (input.verb === 'train' ? `${model} on ${snapshot?.name ?? 'data'}` : `${input.verb} ${model}`),
      spec: {
        kind: input.verb,
        release: {
          id: release.id,
          name: `@${release.owner}/${release.name}`,
          version: release.version,
          packageDigest: release.package_digest,
          packageBytes: release.package_bytes,
        },
        task,
        model,
        config: resolved.config as Record<string, unknown>,
        configDigest: resolved.digest,
        seed,
        dataset:
          snapshot === null || delivered === null
            ? null
            : // The digest of a converted view is known once it is made, see deliverDataset.
              { snapshot: snapshot.id, digest: snapshot.digest, ...delivered },
        device: { kind: device, count: 1 },
        limits: {
          cpus: 2,
          memoryBytes: 8 * 1024 ** 3,
          shmBytes: 1024 ** 3,
          maxSeconds: input.maxSeconds ?? DEFAULT_SECONDS,
        },
        grace: release.manifest.resources?.grace ?? DEFAULT_GRACE,
        ...(weights === null ? {} : { weights }),
        checkpoint: parent?.kind === 'export' ? null : stored,
        ...(parent?.kind === 'export' && stored !== null
          ? { modelArtifact: { format: String(parent.meta['format'] ?? 'onnx'), artifact: stored } }
          : {}),
        ...(input.verb === 'evaluate' ? { evaluate: { split: input.split ?? 'val', ...thresholds } } : {}),
        ...(input.verb === 'predict' ? { predict: { images, ...predictRules(input), ...thresholds } } : {}),
        ...(exported === null ? {} : { export: exported }),
      },
    },
  };
}

async function releaseOf(deps: RunDeps, principal: Principal, input: RunInput): Promise<ReleaseRow | null> {
  if (input.trainer === undefined)
    throw new Problem('bad-request', {
      detail: 'No trainer is named.',
      fix: 'Add "trainer": "owner/name".',
      errors: [{ pointer: '/trainer', code: 'required', message: 'is missing' }],
    });
  const { owner, name } = splitName(input.trainer);
  const audience = audienceOf(principal);
  const found = await findRelease(deps.db.pool, owner, name, input.version ?? null, audience);
  return found !== null && isListedFor(found, audience) ? found : null;
}

async function weightsOf(
  deps: RunDeps,
  principal: Principal,
  release: ReleaseRow,
  model: string,
  input: RunInput,
  complaints: Complaints,
): Promise<WeightsRef | null> {
  if (input.verb !== 'train' || input.weights === undefined) return null;
  const chosen = await resolveWeights(deps.db.pool, release.manifest, audienceOf(principal), model, input.weights);
  if (chosen.ok) return chosen.weights;
  complaints.add('weights-missing', chosen.message, chosen.fix, { pointer: '/weights' });
  return null;
}

function checkExport(
  release: ReleaseRow,
  task: string,
  model: string,
  input: RunInput,
  complaints: Complaints,
): NonNullable<RunJobSpec['export']> {
  const format = input.format ?? 'onnx';
  const claim = release.manifest.exports?.find(
    (entry) =>
      entry.format === format && (entry.tasks?.includes(task) ?? true) && (entry.models?.includes(model) ?? true),
  );
  if (claim === undefined) {
    const formats = release.exports.join(', ');
    complaints.add(
      'unsupported.format',
      `This trainer does not export ${format}.`,
      formats === '' ? 'It exports nothing.' : `It exports: ${formats}.`,
      { pointer: '/format' },
    );
  }
  return {
    format,
    precision: claim?.precisions?.[0] ?? 'fp32',
    dynamic: (claim?.dynamic ?? []).filter((axis) => axis === 'batch'),
    options: input.options ?? {},
  };
}
