import { createReadStream } from 'node:fs';
import { newId, Problem, type PrepareJobSpec } from '@trainyard/plugin-sdk';
import type { BundledTrainer } from '@trainyard/plugin-sdk/api';
import { recordAudit, type AuditCaller } from '../../audit/record-audit.ts';
import { recordBlobs } from '../../blobs/record-blob.ts';
import { enqueueJob } from '../../jobs/enqueue-job.ts';
import type { JobFollower } from '../../jobs/job.ts';
import { readJobStatus } from '../../jobs/read-wait.ts';
import { notFound } from '../../platform/access.ts';
import { NOTIFY_SQL } from '../../platform/event-bus.ts';
import { query } from '../../platform/sql.ts';
import { inTransaction } from '../../platform/transaction.ts';
import type { TrainerDeps } from '../deps.ts';
import { receivePackage, storePackage } from '../intake/receive-package.ts';

const SYSTEM: AuditCaller = { principal: { kind: 'system' } };

interface Row {
  name: string;
  title: string;
  summary: string;
  version: string;
  package_digest: string;
  package_bytes: number;
  download_bytes: number;
  job: string | null;
  release: string | null;
  job_state: string | null;
  job_message: string | null;
  release_state?: string | null;
  release_reason?: string | null;
}

function sizeWords(bytes: number): string {
  return bytes >= 1e9
    ? `${(bytes / 1e9).toFixed(bytes >= 1e10 ? 0 : 1).replace(/\.0$/, '')} GB`
    : `${Math.round(bytes / 1e6)} MB`;
}

/**
 * Packages that come with this version of Trainyard. Those without an environment of their own are submitted at once through the ordinary intake; the others
 * stand beside the catalogue until somebody asks for their environment. Runs at every start; what is known stays as it is.
 */
export async function registerBundled(
  deps: TrainerDeps,
  packages: readonly { path: string; downloadBytes: number }[],
): Promise<void> {
  for (const item of packages) {
    const received = await storePackage(deps, createReadStream(item.path));
    const { manifest } = received.content;
    const short = manifest.name.split('/')[1] ?? manifest.name;
    const [known] = await query<{ id: string }>(
      deps.db.pool,
      `select r.id from release r join trainer t on t.id = r.trainer where t.owner || '/' || t.name = $1 and r.version = $2 and r.state not in ('rejected', 'quarantined')`,
      [manifest.name.slice(1), manifest.version],
    );
    if (manifest.local?.setup === undefined) {
      if (known === undefined) await receivePackage(deps, SYSTEM, createReadStream(item.path));
      continue;
    }
    await inTransaction(deps.db, async (tx) => {
      await recordBlobs(tx, 'packages', [{ sha256: received.sha256, bytes: received.packedBytes }], {
        organizationId: 'trainyard',
        kind: 'bundled',
        id: short,
      });
      await tx.query(
        `insert into bundled (name, title, summary, version, package_digest, package_bytes, download_bytes) values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (name) do update set title = excluded.title, summary = excluded.summary, version = excluded.version, package_digest = excluded.package_digest,
           package_bytes = excluded.package_bytes, download_bytes = excluded.download_bytes,
           job = case when bundled.package_digest = excluded.package_digest then bundled.job end, release = case when bundled.package_digest = excluded.package_digest then bundled.release end`,
        [
          short,
          manifest.title,
          manifest.summary,
          manifest.version,
          `sha256:${received.sha256}`,
          received.packedBytes,
          item.downloadBytes,
        ],
      );
      // This number is in the catalogue already, whatever this checkout's bytes are: a published digest never changes.
      if (known !== undefined) await tx.query('update bundled set release = $2 where name = $1', [short, known.id]);
    });
  }
}

async function readRows(deps: Pick<TrainerDeps, 'db'>, name: string | null): Promise<Row[]> {
  return query<Row>(
    deps.db.pool,
    `select b.*, j.state as job_state, j.outcome->>'message' as job_message, r.state as release_state, r.reason as release_reason
     from bundled b left join job j on j.id = b.job left join release r on r.id = b.release where $1::text is null or b.name = $1 order by b.name`,
    [name],
  );
}

export async function listBundled(
  deps: Pick<TrainerDeps, 'db'>,
  name: string | null = null,
): Promise<BundledTrainer[]> {
  const rows = await readRows(deps, name);
  const status = await readJobStatus(
    deps.db.pool,
    rows.flatMap((row) => (row.job === null ? [] : [row.job])),
  );
  return rows.map((row) => {
    const job = row.job === null ? undefined : status.get(row.job);
    const size = row.download_bytes === 0 ? '' : `, up to ${sizeWords(row.download_bytes)}`;
    const common = {
      name: row.name,
      title: row.title,
      summary: row.summary,
      version: row.version,
      downloadBytes: row.download_bytes,
      releaseId: row.release,
      progress: null,
    };
    if (row.release_state === 'rejected' || row.release_state === 'quarantined')
      return {
        ...common,
        state: 'failed',
        sentence: `It did not pass its checks: ${row.release_reason ?? row.release_state}`,
      };
    if (row.release !== null) return { ...common, state: 'submitted', sentence: 'Its environment is ready.' };
    if (row.job_state === 'failed' || row.job_state === 'cancelled')
      return { ...common, state: 'failed', sentence: row.job_message ?? 'Its environment could not be built.' };
    if (row.job !== null)
      return {
        ...common,
        state: 'preparing',
        progress: job?.progress ?? 0,
        sentence: job?.sentence ?? job?.waiting?.sentence ?? 'Waiting for the runner.',
      };
    return {
      ...common,
      state: 'needs-environment',
      sentence: `Needs its environment${size}: one click or \`trainyard prepare ${row.name}\`.`,
    };
  });
}

/** Starts building the environment. While it is being built, or once it is there, nothing starts again. */
export async function prepareBundled(deps: TrainerDeps, caller: AuditCaller, name: string): Promise<BundledTrainer> {
  await inTransaction(deps.db, async (tx) => {
    const [row] = await tx.query<Row>(
      'select *, null as job_state, null as job_message from bundled where name = $1 for update',
      [name],
    );
    if (row === undefined) throw notFound('bundled trainer');
    const [job] =
      row.job === null ? [] : await tx.query<{ state: string }>('select state from job where id = $1', [row.job]);
    const started = row.release === null && (job === undefined || job.state === 'failed' || job.state === 'cancelled');
    if (started) {
      const spec: PrepareJobSpec = {
        kind: 'prepare',
        release: {
          id: newId(),
          name: `@trainyard/${name}`,
          version: row.version,
          packageDigest: row.package_digest,
          packageBytes: row.package_bytes,
        },
      };
      const id = await enqueueJob(tx, { spec, subject: name, organizationId: 'trainyard', priority: 1 });
      await tx.query('update bundled set job = $2 where name = $1', [name, id]);
    }
    await recordAudit(tx, caller, 'trainer.prepared', `@trainyard/${name}`, { started });
  });
  const [shape] = await listBundled(deps, name);
  if (shape === undefined) throw new Problem('not-found');
  return shape;
}

export const followPrepareJob: JobFollower = async (tx, job, event) => {
  if (event === 'succeeded') await tx.query(NOTIFY_SQL, ['bundled', job.subject]);
};

/** Bundled trainers whose environment is ready but which are not submitted yet. Runs after each hint and at every start. */
export async function submitPrepared(deps: TrainerDeps): Promise<void> {
  const rows = await query<{ name: string; package_digest: string; version: string }>(
    deps.db.pool,
    `select b.name, b.package_digest, b.version from bundled b join job j on j.id = b.job where b.release is null and j.state = 'succeeded'`,
  );
  for (const row of rows) {
    const [known] = await query<{ id: string }>(
      deps.db.pool,
      `select r.id from release r join trainer t on t.id = r.trainer where t.owner = 'trainyard' and t.name = $1 and r.version = $2 and r.state <> 'rejected' order by r.submitted_at desc limit 1`,
      [row.name, row.version],
    );
    const id =
      known?.id ??
      (await receivePackage(deps, SYSTEM, await deps.blobs.read('packages', row.package_digest.slice(7)))).release.id;
    await query(deps.db.pool, 'update bundled set release = $2 where name = $1', [row.name, id]);
  }
}
