import type { LiveMessage, RunLive, RunShape } from '@trainyard/plugin-sdk/api';
import { readLogOf } from '../journal/read-log.ts';
import { countSealed, readTail, tailIsWhole } from '../journal/read-tail.ts';
import type { Principal } from '../platform/principal.ts';
import type { RunDeps } from './deps.ts';
import { attemptsOf, requireRun } from './read-run.ts';
import { selectRuns, toRunShapes } from './run-rows.ts';

/** At most one round of messages per this many milliseconds. */
const FRAME_MS = 100;
/** Without any hint the stream looks again after this: lost hints and passing time (waiting sentences) are seen then. */
const IDLE_MS = 2000;
const TAIL_SEGMENTS = 200;
const ENDED = new Set(['succeeded', 'failed', 'cancelled', 'paused']);

interface Position {
  segment: number;
  chunk: number;
}
function parsePosition(text: string | null | undefined): Position | null {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text ?? '');
  return match === null ? null : { segment: Number(match[1]), chunk: Number(match[2] ?? 0) };
}

/**
 * State, metric points and log of a run. The id of a message is a position in the journal (`segment.chunk`): resuming from it repeats and misses nothing.
 * Who was away so long that points were sealed meanwhile gets `reset`. Ends when the run has ended and everything was sent.
 */
export async function* streamRun(
  deps: RunDeps,
  principal: Principal,
  input: { run: string; after: string | null; log: boolean },
  signal: AbortSignal,
): AsyncIterable<LiveMessage<RunLive>> {
  await requireRun(deps, principal, input.run);
  const on = deps.db.pool;
  const at: Position = parsePosition(input.after) ?? { segment: 0, chunk: 0 };
  let changed = true;
  let wake: () => void = () => undefined;
  function hint(): void {
    changed = true;
    wake();
  }
  signal.addEventListener('abort', hint, { once: true });
  const offs = [deps.bus.on('subject', (subject) => subject === input.run && hint())];
  const heard = new Set<string>();
  let shown = '';
  let artifacts = '';
  let first = true;
  let sealed = 0;
  try {
    while (!signal.aborted) {
      changed = false;
      const attempts = await attemptsOf(on, input.run);
      const numbers = new Map(attempts.map((attempt) => [attempt.id, attempt.number]));
      for (const attempt of attempts) {
        if (heard.has(attempt.id)) continue;
        heard.add(attempt.id);
        offs.push(deps.bus.on(`journal-${attempt.id}`, hint));
      }
      const ids = attempts.map((attempt) => attempt.id);
      const [run] = await toRunShapes(on, await selectRuns(on, 'run.id::text = $1', [input.run]));
      if (run === undefined) return;
      // The tail first, then what was sealed: a seal in between shows in the second, never in neither.
      const tail = await readTail(on, ids, at.segment, TAIL_SEGMENTS);
      const sealedNow = await countSealed(on, ids);
      const lost = first ? at.segment > 0 && !(await tailIsWhole(on, ids, at.segment)) : sealedNow !== sealed;
      first = false;
      sealed = sealedNow;
      // After a reset the reader takes the whole curve, so what the tail holds now is not sent once more.
      for (const segment of tail) at.segment = Math.max(at.segment, segment.id);
      if (lost) yield { id: `${at.segment}.${at.chunk}`, data: { type: 'reset' } };
      for (const segment of lost ? [] : tail) {
        yield {
          id: `${segment.id}.${at.chunk}`,
          data: { type: 'metric', attempt: numbers.get(segment.attempt) ?? 1, points: [...segment.points] },
        };
      }
      let more = tail.length === TAIL_SEGMENTS;
      if (input.log) {
        const page = await readLogOf(on, ids, at.chunk, 100);
        for (const chunk of page.chunks) {
          at.chunk = chunk.id;
          yield {
            id: `${at.segment}.${at.chunk}`,
            data: {
              type: 'log',
              attempt: numbers.get(chunk.attempt) ?? 1,
              stream: chunk.stream,
              text: chunk.text,
              chunk: chunk.id,
            },
          };
        }
        more ||= page.more;
      }
      const made = await artifactsKey(deps, input.run);
      if (made !== artifacts) {
        if (artifacts !== '') yield { id: `${at.segment}.${at.chunk}`, data: { type: 'artifacts' } };
        artifacts = made;
      }
      const text = JSON.stringify(run);
      if (text !== shown) {
        shown = text;
        yield { id: `${at.segment}.${at.chunk}`, data: { type: 'run', run: run satisfies RunShape } };
      }
      if (ENDED.has(run.state) && !more) return;
      await new Promise((resolve) => setTimeout(resolve, FRAME_MS));
      if (!changed && !more && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, IDLE_MS);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
          if (changed) wake();
        });
      }
    }
  } finally {
    for (const off of offs) off();
  }
}

async function artifactsKey(deps: RunDeps, run: string): Promise<string> {
  const { rows } = await deps.db.pool.query<{ key: string }>(
    `select count(*) || ' ' || coalesce(max(created_at)::text, '') as key from artifact where subject = $1`,
    [run],
  );
  return rows[0]?.key ?? '0';
}
