import type { LiveMessage, StopAsked } from '@trainyard/plugin-sdk/api';
import type { Database } from '../platform/database.ts';
import type { EventBus } from '../platform/event-bus.ts';
import { query } from '../platform/sql.ts';

type Signal = { attempt: string; stop: StopAsked };

/** Stop requests of one agent: first those already asked, then each as it comes. A lost one arrives with the next renewal. */
export async function* streamSignals(
  deps: { db: Database; bus: EventBus },
  agent: string,
  signal: AbortSignal,
): AsyncIterable<LiveMessage<Signal>> {
  const queue: Signal[] = [];
  let wake: () => void = () => undefined;
  const off = deps.bus.on(`stop-${agent}`, (payload) => {
    queue.push(JSON.parse(payload) as Signal);
    wake();
  });
  try {
    const asked = await query<Signal>(
      deps.db.pool,
      'select a.id as attempt, j.stop_asked as stop from attempt a join job j on j.id = a.job where a.agent = $1 and a.ended_at is null and j.stop_asked is not null',
      [agent],
    );
    for (const item of asked) yield { id: '', data: item };
    while (!signal.aborted) {
      const next = queue.shift();
      if (next !== undefined) yield { id: '', data: next };
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    }
  } finally {
    off();
  }
}
