import type { RunDetail, RunShape } from '@trainyard/plugin-sdk/api';
import type { FileEntry, WeightsRef } from '@trainyard/plugin-sdk';
import { canChange, notFound, requireRead } from '../platform/access.ts';
import type { Principal } from '../platform/principal.ts';
import { query, type Queryable } from '../platform/sql.ts';
import type { ManifestView } from '../trainers/find-release.ts';
import type { RunDeps } from './deps.ts';
import { selectRuns, toRunShapes, type RunRow } from './run-rows.ts';

export interface ArtifactRow {
  id: string;
  attempt: string;
  number: number;
  subject: string;
  kind: string;
  path: string;
  media_type: string;
  sha256: string;
  bytes: number;
  files: FileEntry[];
  meta: Record<string, unknown>;
  created_at: Date;
}

export async function requireRun(deps: RunDeps, principal: Principal, run: string): Promise<RunRow> {
  const [row] = await selectRuns(deps.db.pool, 'run.id::text = $1', [run]);
  requireRead(
    principal,
    row === undefined ? null : { organizationId: row.organization_id, visibility: row.visibility },
    'run',
  );
  if (row === undefined) throw notFound('run');
  return row;
}

/** Attempts of a run, oldest first, over all its jobs. */
export async function attemptsOf(on: Queryable, run: string): Promise<{ id: string; number: number }[]> {
  const rows = await query<{ id: string }>(
    on,
    'select a.id from attempt a join job j on j.id = a.job where j.subject = $1 order by j.created_at, a.number',
    [run],
  );
  return rows.map((row, i) => ({ id: row.id, number: i + 1 }));
}

async function artifactsOf(on: Queryable, run: string): Promise<ArtifactRow[]> {
  return query<ArtifactRow>(
    on,
    'select a.*, t.number from artifact a join attempt t on t.id = a.attempt where a.subject = $1 order by a.created_at',
    [run],
  );
}

async function readJsonFile(deps: RunDeps, artifact: ArtifactRow | undefined, maxBytes: number): Promise<unknown> {
  const file = artifact?.files[0];
  if (file === undefined || file.bytes > maxBytes) return null;
  const parts: Uint8Array[] = [];
  for await (const chunk of await deps.blobs.read('results', file.sha256)) parts.push(chunk);
  return Buffer.concat(parts).toString('utf8');
}
function parseJson(text: unknown): Record<string, unknown> | null {
  if (typeof text !== 'string') return null;
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

const MAX_JSON = 4 * 1024 * 1024;
const MAX_PREDICTIONS = 500;

function toCheckpoint(row: ArtifactRow): RunDetail['checkpoints'][number] {
  const metric = row.meta['metric'] as { name: string; value: number | null } | undefined;
  const kinds = row.meta['kinds'];
  return {
    id: row.id,
    name: String(row.meta['id'] ?? row.path),
    attempt: row.number,
    step: Number(row.meta['step'] ?? 0),
    epoch: typeof row.meta['epoch'] === 'number' ? row.meta['epoch'] : null,
    kinds: Array.isArray(kinds) ? kinds.map(String) : [],
    bytes: row.bytes,
    sha256: row.sha256,
    format: String(row.meta['format'] ?? 'other'),
    resumable: row.meta['resumable'] === true,
    metric: metric ?? null,
    createdAt: row.created_at.toISOString(),
  };
}
/** The checkpoint an export was made from; both null when it is gone. */
interface Origin {
  checkpoint_id: string | null;
  checkpoint_name: string | null;
}

function toExport(row: ArtifactRow, origin: Origin): RunDetail['exports'][number] {
  const parity = row.meta['parity'] as Record<string, unknown> | undefined;
  return {
    id: row.id,
    run: row.subject,
    format: String(row.meta['format'] ?? 'onnx'),
    precision: String(row.meta['precision'] ?? 'fp32'),
    bytes: row.bytes,
    sha256: row.sha256,
    createdAt: row.created_at.toISOString(),
    checkpoint: origin.checkpoint_name ?? '',
    checkpointId: origin.checkpoint_id,
    parity:
      parity === undefined
        ? null
        : {
            state: parity['passed'] === true ? 'proven' : parity['checked'] === false ? 'declared' : 'refuted',
            passed: parity['passed'] === true,
            maxAbs: typeof parity['maxAbs'] === 'number' ? parity['maxAbs'] : null,
            tolerance: typeof parity['tolerance'] === 'number' ? parity['tolerance'] : null,
            runtime: String(parity['runtime'] ?? ''),
            by: String(parity['by'] ?? ''),
            reason: typeof parity['reason'] === 'string' ? parity['reason'] : null,
          },
    files: row.files,
  };
}

async function attemptShapes(on: Queryable, run: string): Promise<RunDetail['attempts']> {
  const rows = await query<{
    job: string;
    phase: string;
    sentence: string | null;
    outcome: { state: string; code?: string; message?: string; cause?: string } | null;
    started_at: Date;
    ended_at: Date | null;
    agent: string;
    resumed_step: number | null;
  }>(
    on,
    'select a.job, a.phase, a.sentence, a.outcome, a.started_at, a.ended_at, a.agent, a.resumed_step from attempt a join job j on j.id = a.job where j.subject = $1 order by j.created_at, a.number',
    [run],
  );
  return rows.map((row, i) => ({
    number: i + 1,
    job: row.job,
    phase: row.phase,
    sentence: row.sentence,
    outcome: row.outcome === null ? null : (row.outcome.cause ?? row.outcome.state),
    code: row.outcome?.code ?? null,
    message: row.outcome?.message ?? null,
    startedAt: row.started_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    agent: row.agent,
    resumedStep: row.resumed_step,
  }));
}

/** What the buttons of the page may do now. */
export function actionsOf(
  run: RunShape,
  mayChange: boolean,
  facts: { resumable: boolean; hasCheckpoint: boolean; exports: boolean },
): RunDetail['can'] {
  const live = run.state === 'queued' || run.state === 'running';
  const train = run.verb === 'train';
  return {
    stop: mayChange && live,
    pause: mayChange && live && train,
    resume: mayChange && facts.resumable && ['paused', 'failed', 'cancelled'].includes(run.state),
    repeat: train,
    export: mayChange && train && facts.hasCheckpoint && facts.exports,
    evaluate: mayChange && train && facts.hasCheckpoint,
    predict: mayChange && train && facts.hasCheckpoint,
  };
}

function weightsShown({ id, name, sha256 }: WeightsRef): NonNullable<RunDetail['weights']> {
  return { id, name, sha256 };
}

/** One run with everything it made. */
export async function readRun(deps: RunDeps, principal: Principal, id: string): Promise<RunDetail> {
  const row = await requireRun(deps, principal, id);
  const on = deps.db.pool;
  const [shapes, artifacts, attempts, more, children] = await Promise.all([
    toRunShapes(on, [row]),
    artifactsOf(on, id),
    attemptShapes(on, id),
    query<{
      request: Record<string, unknown>;
      preset: string | null;
      config: Record<string, unknown>;
      config_digest: string;
      seed: number;
      device: string;
      weights: WeightsRef | null;
      config_schema: string;
      manifest: ManifestView;
      checkpoint_id: string | null;
      checkpoint_name: string | null;
    }>(
      on,
      `select run.request, run.preset, run.config, run.config_digest, run.seed, run.device, run.options->'weights' as weights, r.config_schema, r.manifest, c.id as checkpoint_id, c.meta->>'id' as checkpoint_name
       from run join release r on r.id = run.release left join artifact c on c.id = run.checkpoint where run.id::text = $1`,
      [id],
    ),
    query<{ id: string; verb: string; state: string; checkpoint: string | null; created_at: Date }>(
      on,
      'select id, verb, state, checkpoint, created_at from run where parent::text = $1 order by created_at',
      [id],
    ),
  ]);
  const [run] = shapes;
  const [facts] = more;
  if (run === undefined || facts === undefined) throw notFound('run');
  const childExports = await query<ArtifactRow & Origin>(
    on,
    `select a.*, 1 as number, c.id as checkpoint_id, c.meta->>'id' as checkpoint_name from artifact a join run child on child.id::text = a.subject left join artifact c on c.id = child.checkpoint
     where child.parent::text = $1 and a.kind = 'export' order by a.created_at`,
    [id],
  );
  const predictionsText = await readJsonFile(
    deps,
    artifacts.findLast((item) => item.kind === 'predictions'),
    MAX_JSON,
  );
  const predictions =
    typeof predictionsText === 'string'
      ? predictionsText
          .split('\n')
          .slice(0, MAX_PREDICTIONS)
          .flatMap((line): Record<string, unknown>[] => {
            const value = parseJson(line);
            return value === null ? [] : [value];
          })
      : [];
  const checkpoints = artifacts.filter((item) => item.kind === 'checkpoint');
  const exportFormats = (facts.manifest.exports ?? [])
    .filter((item) => (item.tasks?.includes(run.task) ?? true) && (item.models?.includes(run.model) ?? true))
    .map((item) => item.format);
  return {
    run,
    config: {
      requested: facts.request,
      preset: facts.preset,
      resolved: facts.config,
      digest: facts.config_digest,
      effective: parseJson(
        await readJsonFile(
          deps,
          artifacts.findLast((item) => item.kind === 'config'),
          MAX_JSON,
        ),
      ),
      schema: parseJson(facts.config_schema),
    },
    seed: facts.seed,
    device: facts.device,
    weights: facts.weights === null ? null : weightsShown(facts.weights),
    attempts,
    checkpoints: checkpoints.map(toCheckpoint),
    artifacts: artifacts
      .filter((item) => item.kind !== 'checkpoint' && item.kind !== 'export')
      .map((item) => ({
        id: item.id,
        kind: item.kind,
        path: item.path,
        title: typeof item.meta['title'] === 'string' ? item.meta['title'] : null,
        mediaType: item.media_type,
        bytes: item.bytes,
        sha256: item.sha256,
        createdAt: item.created_at.toISOString(),
      })),
    exports: [
      ...artifacts.filter((item) => item.kind === 'export').map((item) => toExport(item, facts)),
      ...childExports.map((item) => toExport(item, item)),
    ],
    metrics: parseJson(
      await readJsonFile(
        deps,
        artifacts.findLast((item) => item.kind === 'metrics'),
        MAX_JSON,
      ),
    ),
    predictions,
    children: children.map((child) => ({
      id: child.id,
      verb: child.verb,
      state: child.state,
      checkpoint: child.checkpoint,
      createdAt: child.created_at.toISOString(),
    })),
    exportFormats,
    can: actionsOf(run, canChange(principal, { organizationId: row.organization_id, visibility: row.visibility }), {
      resumable:
        row.verb !== 'train' || row.started_at === null || checkpoints.some((item) => item.meta['resumable'] === true),
      hasCheckpoint: checkpoints.length > 0,
      exports: exportFormats.length > 0,
    }),
  };
}
