import type { Report, StageResult } from '@trainyard/plugin-sdk';
import type { ReleaseDetail, ReleaseSummary } from '@trainyard/plugin-sdk/api';
import { readJobStatus } from '../jobs/read-wait.ts';
import { canChange, isAdmin } from '../platform/access.ts';
import type { Principal } from '../platform/principal.ts';
import { query, type Queryable } from '../platform/sql.ts';
import type { ReleaseRow } from './find-release.ts';

export function toReleaseSummary(row: ReleaseRow): ReleaseSummary {
  return {
    id: row.id,
    owner: row.owner,
    name: row.name,
    version: row.version,
    state: row.state,
    level: row.level,
    packageDigest: row.package_digest,
    packageBytes: row.package_bytes,
    submittedAt: row.submitted_at.toISOString(),
    submittedBy: row.submitted_by,
    publishedAt: row.published_at?.toISOString() ?? null,
    reason: row.reason,
  };
}

/** Stages in the order of the validator, waiting ones included, so that the track is whole from the first moment. */
const STAGE_ORDER = ['package', 'manifest', 'config', 'contract'] as const;

function stagesOf(report: Report | null, live: { stages: unknown[] } | null): StageResult[] {
  if (report !== null) return [...report.stages];
  const seen = new Map(((live?.stages ?? []) as StageResult[]).map((stage) => [stage.stage, stage]));
  const known = STAGE_ORDER.map(
    (stage): StageResult => seen.get(stage) ?? { stage, state: 'waiting', seconds: 0, checks: [] },
  );
  return [...known, ...[...seen.values()].filter((stage) => !STAGE_ORDER.some((name) => name === stage.stage))];
}

async function environmentOf(on: Queryable, row: ReleaseRow): Promise<ReleaseDetail['environment']> {
  const local = row.manifest['local'] as { setup?: unknown } | undefined;
  if (local?.setup === undefined) return 'none';
  const [ready] = await query<{ ready: boolean }>(on, 'select exists (select 1 from agent where ready ? $1) as ready', [
    row.package_digest,
  ]);
  return ready?.ready === true ? 'ready' : 'missing';
}

/** A release with report and live stages, as this principal may see and change it. */
export async function toReleaseDetail(on: Queryable, row: ReleaseRow, principal: Principal): Promise<ReleaseDetail> {
  const jobs = await readJobStatus(
    on,
    [row.current_job, row.proof_job].filter((job) => job !== null),
  );
  const status = row.current_job === null ? undefined : jobs.get(row.current_job);
  const proof = row.proof_job === null ? undefined : jobs.get(row.proof_job);
  const proving = proof !== undefined && ['queued', 'claimed', 'running'].includes(proof.state);
  const report = row.report as unknown as Report | null;
  const open = row.state === 'submitted' || row.state === 'validating';
  const live = open ? (status?.live ?? null) : null;
  const facts = { organizationId: row.organization_id, visibility: 'public' };
  return {
    ...toReleaseSummary(row),
    title: row.title,
    summary: row.summary,
    official: row.official,
    manifest: row.manifest,
    configSchema: JSON.parse(row.config_schema),
    presets: row.presets,
    readme: row.readme,
    changelog: row.changelog,
    stages: stagesOf(report, live),
    findings: [...(report?.findings ?? ((live?.findings ?? []) as Report['findings']))],
    report: report === null ? null : { ...report, stages: [...report.stages], findings: [...report.findings] },
    waiting: open ? (status?.waiting ?? null) : null,
    trusted: row.trusted,
    approvedBy: row.approved_by,
    environment: await environmentOf(on, row),
    proof: {
      running: proving,
      sentence: proving ? (proof.waiting?.sentence ?? proof.sentence) : null,
      note: row.proof_note,
      stages: proving ? (proof.live?.stages ?? []) : [],
    },
    can: {
      manage: canChange(principal, facts),
      // A runner with a wall takes it without anybody's approval.
      approve: isAdmin(principal) && !row.trusted && status?.waiting?.code === 'queue.not_allowed',
      start: row.state === 'published' || row.state === 'deprecated',
      prove: canChange(principal, facts) && (row.state === 'published' || row.state === 'deprecated') && !proving,
    },
  } as unknown as ReleaseDetail;
}
