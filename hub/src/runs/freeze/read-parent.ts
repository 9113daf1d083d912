import type { FileEntry, StoredArtifact } from '@trainyard/plugin-sdk';
import type { RunInput } from '@trainyard/plugin-sdk/api';
import { canRead, notFound } from '../../platform/access.ts';
import type { Principal } from '../../platform/principal.ts';
import { query } from '../../platform/sql.ts';
import type { RunDeps } from '../deps.ts';

/** The run that trained, with the artifact of it that this one works on: a checkpoint or an export. */
export interface ParentRow {
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

/** Null for train. Throws 404 for what the caller may not see. */
export async function readParent(deps: RunDeps, principal: Principal, input: RunInput): Promise<ParentRow | null> {
  if (input.verb === 'train') return null;
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

/** Pure: the artifact of the parent as a job names it, as checkpoint or as exported model. */
export function nameArtifact(parent: ParentRow | null): {
  checkpoint: StoredArtifact | null;
  modelArtifact?: { format: string; artifact: StoredArtifact };
} {
  if (parent === null) return { checkpoint: null };
  const artifact = {
    id: parent.artifact,
    name: String(parent.meta['id'] ?? 'checkpoint'),
    path: parent.path,
    sha256: parent.sha256,
    step: Number(parent.meta['step'] ?? 0),
    meta: parent.meta,
    files: parent.files,
  };
  if (parent.kind !== 'export') return { checkpoint: artifact };
  return { checkpoint: null, modelArtifact: { format: String(parent.meta['format'] ?? 'onnx'), artifact } };
}
