import { readSeries, streamRun, type RunLive, type RunShape } from '../api/index.ts';
import type { HubClient } from '../client/hub-client.ts';
import { followLive } from '../client/sse.ts';
import type { Output } from './output.ts';
import { drawCurve } from './terminal-chart.ts';

export const ENDED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled', 'paused']);

export interface Followed {
  readonly run: RunShape;
  /** Seconds from the call to the first metric point; null when none came. */
  readonly firstPointSeconds: number | null;
}

/** Follows a run to its end, drawing the primary metric and the loss. Reconnects by itself, misses and repeats no point. `onRun` may act on what it sees. */
export async function followRun(
  client: HubClient,
  run: string,
  output: Output,
  options: { signal?: AbortSignal; onRun?: (run: RunShape, points: number) => void } = {},
): Promise<Followed> {
  const started = Date.now();
  const curves = new Map<string, [number, number][]>();
  let first: number | null = null;
  let points = 0;
  let latest: RunShape | null = null;
  let said = '';
  const signal = options.signal ?? new AbortController().signal;

  function draw(): void {
    if (latest === null) return;
    const width = Math.min(72, (process.stdout.columns ?? 80) - 12);
    const primary = latest.primary?.name ?? 'top1';
    const lines = [latest.sentence];
    for (const key of [`val ${primary}`, 'train loss']) {
      const curve = curves.get(key);
      if (curve !== undefined) lines.push(...drawCurve({ title: key, points: curve }, width, 5));
    }
    output.redraw(lines);
    if (!output.live && latest.sentence !== said) {
      said = latest.sentence;
      output.line(latest.sentence);
    }
  }

  let after: string | undefined;
  for (;;) {
    let reset = false;
    const live = followLive<RunLive>(
      (id) =>
        client.call(streamRun, { params: { run }, query: { ...(id === undefined ? {} : { after: id }) } }, { signal }),
      {
        ...(after === undefined ? {} : { after }),
        signal,
        done: (message) => message.type === 'run' && ENDED.has(message.run.state),
      },
    );
    for await (const { data } of live) {
      if (data.type === 'reset') {
        reset = true;
        break;
      }
      if (data.type === 'metric') {
        for (const [split, name, step, value] of data.points) {
          first ??= (Date.now() - started) / 1000;
          points += 1;
          if (value === null) continue;
          const key = `${split} ${name}`;
          const curve = curves.get(key) ?? [];
          // A later attempt that overlaps replaces what it repeats.
          while ((curve.at(-1)?.[0] ?? -1) >= step) curve.pop();
          curve.push([step, value]);
          curves.set(key, curve);
        }
      } else if (data.type === 'run') {
        latest = data.run;
        options.onRun?.(data.run, points);
      }
      draw();
    }
    if (!reset || signal.aborted) break;
    const read = await client.call(readSeries, { params: { run }, query: { width: 600 } });
    curves.clear();
    for (const series of read.series)
      curves.set(
        `${series.split} ${series.name}`,
        series.points.flatMap(([step, value]) => (value === null ? [] : [[step, value] as [number, number]])),
      );
    after = read.cursor;
  }
  if (latest === null) throw new Error('the stream ended before it said anything');
  return { run: latest, firstPointSeconds: first };
}
