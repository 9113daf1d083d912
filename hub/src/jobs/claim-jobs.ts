import type { JobKind, JobSpec, LeaseTimings, Offer, StoredArtifact } from '@trainyard/plugin-sdk';
import type { ClaimedAttempt } from '@trainyard/plugin-sdk/api';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { EventBus } from '../platform/event-bus.ts';
import { signTicket } from '../platform/signed-token.ts';
import { inTransaction, type Tx } from '../platform/transaction.ts';
import { claimRows, type ClaimedRow } from './claim-jobs.sql.ts';
import type { JobFollowers } from './job.ts';

export interface ClaimDeps {
  readonly db: Database;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly followers: JobFollowers;
  readonly timings: LeaseTimings;
  readonly ticketSecret: string;
  /** Address under which agents reach this hub. */
  readonly hubUrl: string;
}
export interface ClaimInput {
  readonly agent: string;
  readonly kinds: readonly JobKind[];
  readonly offers: readonly Offer[];
  readonly slots: number;
  readonly waitSeconds: number;
  readonly ready: readonly string[];
}

const TICKET_SECONDS = 15 * 60;

/** Signed addresses of everything the spec names by digest. */
export function inputsOf(
  deps: Pick<ClaimDeps, 'ticketSecret' | 'hubUrl' | 'clock'>,
  spec: JobSpec,
  resume: StoredArtifact | null,
): Pick<ClaimedAttempt, 'inputs' | 'snapshotUrl'> {
  const exp = deps.clock.now() + TICKET_SECONDS * 1000;
  const inputs = new Map<string, { sha256: string; bytes: number; url: string }>();
  function add(store: string, sha256: string, bytes: number): void {
    const ticket = signTicket(deps.ticketSecret, {
      m: 'GET',
      digest: `${store}/${sha256}`,
      name: sha256,
      type: 'application/octet-stream',
      exp,
    });
    inputs.set(sha256, { sha256, bytes, url: `${deps.hubUrl}/blobs/${ticket}` });
  }
  add('packages', spec.release.packageDigest.slice(7), spec.release.packageBytes);
  for (const file of resume?.files ?? []) add('results', file.sha256, file.bytes);
  if (spec.kind === 'validate' || spec.kind === 'prove' || spec.kind === 'prepare')
    return { inputs: [...inputs.values()], snapshotUrl: null };
  for (const file of spec.checkpoint?.files ?? []) add('results', file.sha256, file.bytes);
  for (const file of spec.modelArtifact?.artifact.files ?? []) add('results', file.sha256, file.bytes);
  if (spec.weights != null) add('weights', spec.weights.sha256, spec.weights.bytes);
  for (const file of spec.predict?.images ?? []) add('datasets', file.sha256, file.bytes);
  const { snapshot, digest } = spec.dataset ?? {};
  const snapshotUrl =
    snapshot === undefined
      ? null
      : `${deps.hubUrl}/snapshots/${signTicket(deps.ticketSecret, { m: 'SNAPSHOT', snapshot, ...(digest === undefined ? {} : { digest }), exp })}`;
  return { inputs: [...inputs.values()], snapshotUrl };
}

/** Newest complete resumable checkpoint of the same subject, whichever job or attempt made it. */
async function findResume(tx: Tx, row: ClaimedRow): Promise<StoredArtifact | null> {
  if (row.kind !== 'train') return null;
  const [found] = await tx.query<{
    id: string;
    path: string;
    sha256: string;
    files: StoredArtifact['files'];
    meta: Record<string, unknown>;
  }>(
    `select id, path, sha256, files, meta from artifact where subject = $1 and kind = 'checkpoint' and meta->>'resumable' = 'true'
     order by (meta->>'step')::bigint desc, created_at desc limit 1`,
    [row.subject],
  );
  if (found === undefined) return null;
  const step = Number(found.meta['step']);
  await tx.query('update attempt set resumed_step = $2, resumed_artifact = $3 where id = $1', [
    row.attempt,
    step,
    found.id,
  ]);
  return {
    id: found.id,
    name: String(found.meta['id']),
    path: found.path,
    sha256: found.sha256,
    step,
    meta: found.meta,
    files: found.files,
  };
}

/** One way without a wall is enough: the agent chooses where a job runs. */
function isWalled(offers: readonly Offer[]): boolean {
  return offers.length > 0 && offers.every(({ wall }) => wall !== 'none');
}

async function claimOnce(deps: ClaimDeps, input: ClaimInput): Promise<ClaimedAttempt[]> {
  const devices = ['cpu', ...input.offers.flatMap((offer) => offer.devices.map((device) => device.kind))];
  return inTransaction(deps.db, async (tx) => {
    await tx.query(
      `insert into agent (id, kinds, offers, ready, slots) values ($1, $2, $3, $4, $5)
       on conflict (id) do update set kinds = excluded.kinds, offers = excluded.offers, ready = excluded.ready, slots = excluded.slots, last_seen_at = now()`,
      [
        input.agent,
        JSON.stringify(input.kinds),
        JSON.stringify(input.offers),
        JSON.stringify(input.ready),
        input.slots,
      ],
    );
    if (input.slots === 0) return [];
    const rows = await claimRows(tx, {
      agent: input.agent,
      kinds: input.kinds,
      devices,
      walled: isWalled(input.offers),
      slots: input.slots,
      leaseSeconds: deps.timings.lease,
    });
    const attempts: ClaimedAttempt[] = [];
    for (const row of rows) {
      const resume = await findResume(tx, row);
      await deps.followers[row.kind](tx, row, 'claimed', null, null);
      attempts.push({
        id: row.attempt,
        job: row.id,
        number: row.number,
        fence: Number(row.fence),
        spec: row.spec,
        needsWall: row.hold === 'approval',
        execution: null,
        resume,
        ...inputsOf(deps, row.spec, resume),
      });
    }
    return attempts;
  });
}

/** Long poll: woken by hints, and by time for jobs whose pause is over. Ends early when the agent hangs up. */
export async function claimJobs(
  deps: ClaimDeps,
  input: ClaimInput,
  signal: AbortSignal,
): Promise<{ attempts: ClaimedAttempt[] }> {
  const until = deps.clock.now() + input.waitSeconds * 1000;
  for (;;) {
    let wake: () => void = () => undefined;
    const hint = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const off = deps.bus.on('job', wake);
    try {
      const attempts = await claimOnce(deps, input);
      const left = until - deps.clock.now();
      if (attempts.length > 0 || left <= 0 || input.slots === 0 || signal.aborted) return { attempts };
      const timer = setTimeout(wake, Math.min(left, 1000));
      signal.addEventListener('abort', wake, { once: true });
      await hint;
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      if (signal.aborted) return { attempts: [] };
    } finally {
      off();
    }
  }
}
