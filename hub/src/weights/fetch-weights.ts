import { Problem } from '@trainyard/plugin-sdk';
import { MAX_WEIGHTS_BYTES } from '@trainyard/plugin-sdk/api';
import { recordBlobs } from '../blobs/record-blob.ts';
import { query } from '../platform/sql.ts';
import { inTransaction } from '../platform/transaction.ts';
import type { WeightsDeps } from './deps.ts';
import { guardedGet } from './guarded-get.ts';
import type { WeightsRow } from './weights-rows.ts';

const TELL_MS = 1000;

/** Fetches what is asked for, one file after the other. A hub that was killed begins the file anew; bytes are taken only with the right digest. */
export async function fetchWeights(deps: WeightsDeps, signal: AbortSignal): Promise<number> {
  const rows = await query<WeightsRow>(
    deps.db.pool,
    `select * from weights_file where state = 'fetching' order by created_at`,
  );
  for (const row of rows) {
    try {
      await fetchOne(deps, row, signal);
    } catch (error) {
      if (signal.aborted) return rows.length;
      const note = error instanceof Problem ? `${error.message} ${error.info.fix ?? ''}`.trim() : String(error);
      await query(deps.db.pool, `update weights_file set state = 'failed', note = $2 where id = $1`, [row.id, note]);
    }
  }
  return rows.length;
}

async function fetchOne(deps: WeightsDeps, row: WeightsRow, signal: AbortSignal): Promise<void> {
  const { body, bytes } = await guardedGet(row.source, deps.fetchHosts, signal);
  await query(deps.db.pool, 'update weights_file set bytes = coalesce($2, bytes) where id = $1', [row.id, bytes]);
  let received = 0;
  let told = Date.now();
  async function* counted(): AsyncIterable<Uint8Array> {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      received += chunk.length;
      if (Date.now() - told > TELL_MS) {
        told = Date.now();
        await query(deps.db.pool, 'update weights_file set received = $2 where id = $1', [row.id, received]);
      }
      yield chunk;
    }
  }
  const blob = await deps.blobs.put('weights', counted(), { expect: row.sha256, maxBytes: MAX_WEIGHTS_BYTES });
  await inTransaction(deps.db, async (tx) => {
    await recordBlobs(tx, 'weights', [blob], { organizationId: row.organization_id, kind: 'weights', id: row.id });
    await tx.query(`update weights_file set state = 'ready', bytes = $2, received = $2, note = null where id = $1`, [
      row.id,
      blob.bytes,
    ]);
  });
}
