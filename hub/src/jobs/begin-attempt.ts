import type { Database } from '../platform/database.ts';
import { inTransaction } from '../platform/transaction.ts';
import { requireAttempt, superseded } from './require-attempt.ts';

/** The first execution that names itself wins; the same one may say it again; a second one is refused before it runs user code. */
export async function beginAttempt(
  deps: { db: Database },
  attempt: string,
  input: { fence: number; execution: string },
): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const open = await requireAttempt(tx, attempt, input.fence);
    if (open.execution !== null && open.execution !== input.execution) throw superseded();
    await tx.query('update attempt set execution = $2 where id = $1', [open.id, input.execution]);
  });
}
