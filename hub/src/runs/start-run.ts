import { newId, Problem, type RunJobSpec } from '@trainyard/plugin-sdk';
import type { Preflight, RunInput } from '@trainyard/plugin-sdk/api';
import { recordAudit, type AuditCaller } from '../audit/record-audit.ts';
import { enqueueJob } from '../jobs/enqueue-job.ts';
import { requireUser } from '../platform/access.ts';
import { storedReply, withIdempotency } from '../platform/idempotency.ts';
import { inTransaction, type Tx } from '../platform/transaction.ts';
import { deliverDataset } from './deliver-dataset.ts';
import type { RunDeps } from './deps.ts';
import { freezeRun } from './freeze/freeze-run.ts';
import type { FrozenRun } from './freeze/frozen-run.ts';

export async function preflightRun(deps: RunDeps, caller: AuditCaller, input: RunInput): Promise<Preflight> {
  return (await freezeRun(deps, caller.principal, input)).preflight;
}

export interface RunOwner {
  readonly organizationId: string;
  readonly createdBy: string;
  readonly visibility: 'private' | 'public';
  readonly sample: boolean;
}

/** Run, job and audit in one transaction. What is not trusted without a wall waits for an administrator. */
export async function insertRun(tx: Tx, caller: AuditCaller, frozen: FrozenRun, owner: RunOwner): Promise<string> {
  const id = newId();
  const spec: RunJobSpec = { ...frozen.spec, run: id };
  await tx.query(
    `insert into run (id, organization_id, project, name, verb, state, release, release_digest, task, model, snapshot, snapshot_digest, request, preset, config, config_digest, seed, device,
       options, parent, checkpoint, visibility, sample, created_by)
     values ($1, $2, (select id from project where organization_id = $2 order by created_at limit 1), $3, $4, 'queued', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`,
    [
      id,
      owner.organizationId,
      frozen.name,
      spec.kind,
      frozen.release.id,
      frozen.release.package_digest,
      spec.task,
      spec.model,
      frozen.snapshotId,
      spec.dataset?.digest ?? null,
      JSON.stringify(frozen.request),
      frozen.preset,
      JSON.stringify(spec.config),
      spec.configDigest,
      spec.seed,
      spec.device.kind,
      JSON.stringify({
        export: spec.export ?? null,
        evaluate: spec.evaluate ?? null,
        weights: spec.weights ?? null,
        pictures: frozen.pictures,
      }),
      frozen.parent,
      frozen.checkpointId,
      owner.visibility,
      owner.sample,
      owner.createdBy,
    ],
  );
  const job = await enqueueJob(tx, {
    spec,
    subject: id,
    organizationId: owner.organizationId,
    priority: spec.kind === 'train' ? 0 : 1,
    ...(frozen.release.trusted ? {} : { hold: 'approval' }),
  });
  await tx.query('update run set current_job = $2 where id = $1', [id, job]);
  await recordAudit(tx, caller, 'run.created', id, {
    verb: spec.kind,
    release: `${spec.release.name}@${spec.release.version}`,
    configDigest: spec.configDigest,
    snapshot: frozen.snapshotId,
  });
  return id;
}

/** Starts a run for the caller. The same `Idempotency-Key` again answers the same run. */
export async function startRun(
  deps: RunDeps,
  caller: AuditCaller,
  input: RunInput,
  idempotencyKey: string | null,
): Promise<string> {
  const user = requireUser(caller.principal);
  const earlier = await storedReply(deps.db.pool, user.userId, idempotencyKey, input);
  if (earlier !== null) return earlier;
  const { preflight, frozen } = await freezeRun(deps, user, input);
  if (frozen === null) {
    const config = preflight.problems.every((problem) => problem.code.startsWith('config'));
    const only = preflight.problems[0];
    const code = config
      ? 'config-invalid'
      : only?.code === 'release-not-published'
        ? 'release-not-published'
        : only?.code === 'dataset-mismatch'
          ? 'dataset-mismatch'
          : 'preflight-failed';
    throw new Problem(code, {
      detail: preflight.problems.map((problem) => problem.message).join(' '),
      ...(only === undefined ? {} : { fix: only.fix }),
      errors: preflight.problems.map((problem) => ({
        code: problem.code,
        message: problem.message,
        fix: problem.fix,
        ...(problem.pointer === undefined ? {} : { pointer: problem.pointer }),
      })),
    });
  }
  const ready = await deliverDataset(deps, frozen);
  return inTransaction(deps.db, (tx) =>
    withIdempotency(tx, user.userId, idempotencyKey, input, () =>
      insertRun(tx, caller, ready, {
        organizationId: user.organizationId,
        createdBy: user.name,
        visibility: 'private',
        sample: false,
      }),
    ),
  );
}
