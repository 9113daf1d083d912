import { Problem } from '@trainyard/plugin-sdk';
import type pg from 'pg';
import { superseded } from '../jobs/require-attempt.ts';
import { appendRows, lockMarks, type JournalRows, type MarkRow } from './append-journal.sql.ts';
import { planAppend, type JournalRequest } from './plan-append.ts';

interface Queued {
  readonly attempt: string;
  readonly fence: number;
  readonly request: JournalRequest;
  readonly bytes: number;
  readonly done: (answer: number) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Many requests, one commit: a flush takes everything queued since the last one; each request is answered after its commit. At most two flushes are in
 * flight. Requests of one attempt keep their order. When a flush fails in SQL each attempt's part is tried alone, so that one cannot fail the others.
 */
export interface GroupCommit {
  /** Resolves with the new mark (next seq, or acknowledged bytes) once committed. */
  append(attempt: string, fence: number, request: JournalRequest, bytes: number): Promise<number>;
  /** Waits for everything queued. */
  drain(): Promise<void>;
}

/** Anything else would fail the statement of everybody in the same flush. */
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
export const MAX_QUEUED_BYTES = 32 * 1024 * 1024;

export function createGroupCommit(deps: {
  pool: pg.Pool;
  committed: (attempts: readonly string[], marks: readonly MarkRow[]) => void;
}): GroupCommit {
  let queue: Queued[] = [];
  let queuedBytes = 0;
  let flushing = 0;
  let scheduled = false;
  const busy = new Set<string>();
  const idle: (() => void)[] = [];

  function schedule(): void {
    if (scheduled || flushing >= 2) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      void flush();
    });
  }

  async function flush(): Promise<void> {
    // An attempt in a flush under way waits for the next one: its order must hold.
    const part = queue.filter((item) => !busy.has(item.attempt));
    if (part.length === 0) return;
    queue = queue.filter((item) => busy.has(item.attempt));
    for (const item of part) busy.add(item.attempt);
    flushing += 1;
    try {
      await commit(part);
    } catch {
      const byAttempt = Map.groupBy(part, (item) => item.attempt);
      for (const alone of byAttempt.values())
        await commit(alone).catch((error: unknown) => alone.forEach((item) => item.failed(error)));
    } finally {
      for (const item of part) {
        busy.delete(item.attempt);
        queuedBytes -= item.bytes;
      }
      flushing -= 1;
      if (queue.length > 0) schedule();
      else if (flushing === 0) for (const resolve of idle.splice(0)) resolve();
    }
  }

  async function commit(part: readonly Queued[]): Promise<void> {
    const fences = new Map(part.map((item) => [`${item.attempt} ${item.fence}`, item]));
    const client = await deps.pool.connect();
    const answers: (() => void)[] = [];
    const touched = new Map<string, MarkRow>();
    try {
      await client.query('begin');
      const wanted = [...fences.values()];
      const marks = new Map(
        (
          await lockMarks(
            client,
            wanted.map((item) => item.attempt),
            wanted.map((item) => item.fence),
          )
        ).map((mark) => [mark.attempt, mark]),
      );
      const rows: {
        segments: JournalRows['segments'][number][];
        events: JournalRows['events'][number][];
        logs: JournalRows['logs'][number][];
      } = { segments: [], events: [], logs: [] };
      for (const item of part) {
        const mark = marks.get(item.attempt);
        if (mark === undefined || mark.fence !== item.fence) {
          answers.push(() => item.failed(superseded()));
          continue;
        }
        const planned = planAppend(mark, item.request);
        if ('problem' in planned) answers.push(() => item.failed(planned.problem));
        else {
          marks.set(item.attempt, planned.mark);
          if (planned.mark !== mark) touched.set(item.attempt, planned.mark);
          rows.segments.push(...planned.rows.segments);
          rows.events.push(...planned.rows.events);
          rows.logs.push(...planned.rows.logs);
          answers.push(() => item.done(planned.answer));
        }
      }
      if (touched.size > 0) await appendRows(client, { ...rows, marks: [...touched.values()] });
      await client.query('commit');
    } catch (error) {
      await client.query('rollback').catch(() => undefined);
      throw error;
    } finally {
      client.release();
    }
    for (const answer of answers) answer();
    if (touched.size > 0) deps.committed([...touched.keys()], [...touched.values()]);
  }

  return {
    append(attempt, fence, request, bytes) {
      if (!UUID.test(attempt)) return Promise.reject(superseded());
      if (queuedBytes + bytes > MAX_QUEUED_BYTES)
        return Promise.reject(
          new Problem('unavailable', {
            detail: 'Too many events wait to be stored.',
            fix: 'Send them again in a few seconds.',
          }),
        );
      queuedBytes += bytes;
      return new Promise((done, failed) => {
        queue.push({ attempt, fence, request, bytes, done, failed });
        schedule();
      });
    },
    drain() {
      if (queue.length === 0 && flushing === 0) return Promise.resolve();
      return new Promise((resolve) => idle.push(resolve));
    },
  };
}
