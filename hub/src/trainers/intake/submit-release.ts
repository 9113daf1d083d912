import { newId, Problem, splitTrainerName, type ValidateJobSpec } from '@trainyard/plugin-sdk';
import type { ReleaseSummary } from '@trainyard/plugin-sdk/api';
import { recordAudit, type AuditCaller } from '../../audit/record-audit.ts';
import { recordBlobs } from '../../blobs/record-blob.ts';
import { enqueueJob } from '../../jobs/enqueue-job.ts';
import type { Principal } from '../../platform/principal.ts';
import { isUniqueViolation } from '../../platform/sql.ts';
import { inTransaction, type Tx } from '../../platform/transaction.ts';
import type { TrainerDeps } from '../deps.ts';
import { findReleaseById } from '../find-release.ts';
import { toReleaseSummary } from '../release-shape.ts';
import { versionKey } from '../release-state.ts';
import type { ReceivedPackage } from './received-package.ts';

export interface Submitted {
  readonly release: ReleaseSummary;
  readonly created: boolean;
}

export const OFFICIAL_OWNER = 'trainyard';
export const VALIDATION_POLICY = 'local';

/** The scope of the name is the organisation; only its people may use it. The official scope is the installation's own. */
async function requireScope(
  tx: Tx,
  principal: Principal,
  owner: string,
): Promise<{ organizationId: string; official: boolean }> {
  if (principal.kind === 'system' && owner === OFFICIAL_OWNER) {
    const [row] = await tx.query<{ id: string }>('select id from organization where slug = $1', [OFFICIAL_OWNER]);
    if (row !== undefined) return { organizationId: row.id, official: true };
  }
  if (principal.kind === 'user' && principal.organizationSlug === owner)
    return { organizationId: principal.organizationId, official: false };
  const own = principal.kind === 'user' ? principal.organizationSlug : 'your-organisation';
  throw new Problem('name-taken', {
    detail: `The scope @${owner} is not yours.`,
    fix: `Name your trainer @${own}/… in trainer.yaml and package.json.`,
    errors: [
      {
        file: 'trainer.yaml',
        pointer: '/name',
        code: 'name-taken',
        message: `@${owner} belongs to somebody else`,
        fix: `Use @${own}/…`,
      },
    ],
  });
}

function versionTaken(version: string, state: string, retired: boolean): Problem {
  return new Problem(retired ? 'version-retired' : 'version-exists', {
    detail: retired
      ? `Version ${version} was published before and withdrawn.`
      : `Version ${version} is already ${state}.`,
    fix: 'Raise the version in trainer.yaml and package.json, then publish again.',
    errors: [
      {
        file: 'trainer.yaml',
        pointer: '/version',
        code: retired ? 'version-retired' : 'version-exists',
        message: `${version} is used`,
        fix: 'Take the next free number.',
      },
    ],
  });
}

/** One transaction: listing, release `submitted`, use of the bytes, validation job, audit. What is not trusted without a wall waits for approval. */
export async function submitRelease(
  deps: TrainerDeps,
  caller: AuditCaller,
  received: ReceivedPackage,
): Promise<Submitted> {
  const { manifest } = received.content;
  const name = splitTrainerName(manifest.name);
  if (name === null)
    throw new Problem('release-invalid', {
      detail: `${manifest.name} is not a trainer name.`,
      fix: 'Write @owner/name.',
    });
  const digest = `sha256:${received.sha256}`;
  const id = newId();
  try {
    await inTransaction(deps.db, async (tx) => {
      const scope = await requireScope(tx, caller.principal, name.owner);
      await tx.query(
        'insert into trainer (id, organization_id, owner, name, official) values ($1, $2, $3, $4, $5) on conflict (owner, name) do nothing',
        [newId(), scope.organizationId, name.owner, name.name, scope.official],
      );
      const [trainer] = await tx.query<{ id: string }>(
        'select id from trainer where owner = $1 and name = $2 for update',
        [name.owner, name.name],
      );
      if (trainer === undefined) throw new Error('a trainer that was just made is there');
      const [taken] = await tx.query<{ state: string; published_at: Date | null }>(
        `select state, published_at from release where trainer = $1 and version = $2 and (state not in ('rejected', 'discarded') or published_at is not null) limit 1`,
        [trainer.id, manifest.version],
      );
      if (taken !== undefined)
        throw versionTaken(manifest.version, taken.state, taken.state === 'yanked' || taken.state === 'rejected');
      await tx.query(
        `insert into release (id, trainer, version, state, package_digest, package_sha512, package_bytes, manifest, manifest_digest, config_schema, presets, readme, changelog, entries, title, summary, license,
           framework, tasks, exports, devices, submitted_by, version_key)
         values ($1, $2, $3, 'submitted', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`,
        [
          id,
          trainer.id,
          manifest.version,
          digest,
          received.sha512,
          received.packedBytes,
          JSON.stringify(manifest),
          received.content.manifestDigest,
          received.content.configSchemaText,
          JSON.stringify(received.content.presets),
          received.content.readme,
          received.content.changelog,
          JSON.stringify(received.content.entries),
          manifest.title,
          manifest.summary,
          manifest.license,
          manifest.framework.name,
          manifest.tasks.map((task) => task.id),
          [...new Set((manifest.exports ?? []).map((claim) => claim.format))],
          manifest.capabilities.devices,
          caller.principal.kind === 'user' ? caller.principal.name : 'Trainyard',
          versionKey(manifest.version),
        ],
      );
      await recordBlobs(tx, 'packages', [{ sha256: received.sha256, bytes: received.packedBytes }], {
        organizationId: scope.organizationId,
        kind: 'release',
        id,
      });
      const spec: ValidateJobSpec = {
        kind: 'validate',
        policy: VALIDATION_POLICY,
        release: {
          id,
          name: manifest.name,
          version: manifest.version,
          packageDigest: digest,
          packageBytes: received.packedBytes,
        },
      };
      const trusted = await isTrusted(tx, id);
      const job = await enqueueJob(tx, {
        spec,
        subject: id,
        organizationId: scope.organizationId,
        priority: 2,
        ...(trusted ? {} : { hold: 'approval' }),
      });
      await tx.query('update release set current_job = $2 where id = $1', [id, job]);
      await recordAudit(tx, caller, 'release.uploaded', `${manifest.name}@${manifest.version}`, {
        digest,
        release: id,
      });
    });
  } catch (error) {
    if (isUniqueViolation(error, 'release_version')) throw versionTaken(manifest.version, 'submitted', false);
    throw error;
  }
  const row = await findReleaseById(deps.db.pool, id);
  if (row === null) throw new Error('a release that was just made is there');
  return { release: toReleaseSummary(row), created: true };
}

async function isTrusted(tx: Tx, release: string): Promise<boolean> {
  const [row] = await tx.query<{ trusted: boolean }>(
    `select (t.official or exists (select 1 from approved_digest a where a.digest = r.package_digest) or exists (
       select 1 from member m join "user" u on u.id = m."userId" where m."organizationId" = t.organization_id and u.role = 'admin')) as trusted
     from release r join trainer t on t.id = r.trainer where r.id = $1`,
    [release],
  );
  return row?.trusted === true;
}
