import type { RunLive, RunShape } from '@trainyard/plugin-sdk/api';
import { curvesFrom, type Curve } from '#lib/charts/series-shape.ts';
import { LiveSeries } from '#lib/charts/live-series.svelte.ts';

export const FINAL_STATES: readonly string[] = ['succeeded', 'failed', 'cancelled', 'paused'];

export interface LogPiece {
  readonly chunk: number;
  readonly attempt: number;
  readonly stream: string;
  readonly text: string;
}

export interface FeedOptions {
  readonly run: RunShape;
  readonly curves: readonly Curve[];
  readonly cursor: string;
  readonly log: boolean;
  readonly onLog?: (piece: LogPiece) => void;
  /** Something was made (checkpoint, export) or the run ended: read the page's data again. */
  readonly onChange?: () => void;
}

/**
 * One live run in the browser. The browser reconnects by itself and sends the last id; `reset` means that points in between are gone,
 * so the curves are read anew. Start once, stop when the page goes away.
 */
export class RunFeed {
  readonly #options: FeedOptions;
  #source: EventSource | undefined;
  readonly series: LiveSeries;
  run = $state.raw<RunShape>() as RunShape;
  connected = $state<'idle' | 'live' | 'lost'>('idle');

  constructor(options: FeedOptions) {
    this.#options = options;
    this.run = options.run;
    this.series = new LiveSeries(options.curves);
  }

  get ended(): boolean {
    return FINAL_STATES.includes(this.run.state);
  }

  start(): void {
    if (this.#source !== undefined || this.ended) return;
    const query = new URLSearchParams({ after: this.#options.cursor, ...(this.#options.log ? { log: 'true' } : {}) });
    const source = new EventSource(`/api/v1/runs/${this.run.id}/stream?${query.toString()}`);
    this.#source = source;
    source.onopen = () => (this.connected = 'live');
    source.onerror = () => (this.connected = this.ended ? 'idle' : 'lost');
    source.onmessage = (message: MessageEvent<string>) => this.#take(JSON.parse(message.data));
  }

  stop(): void {
    this.#source?.close();
    this.#source = undefined;
    this.series.stop();
    this.connected = 'idle';
  }

  #take(message: RunLive): void {
    if (message.type === 'metric') this.series.append(message.points);
    else if (message.type === 'log') this.#options.onLog?.(message);
    else if (message.type === 'artifacts') this.#options.onChange?.();
    else if (message.type === 'reset') void this.#reload();
    else {
      const before = this.run.state;
      this.run = message.run;
      if (this.ended) this.stop();
      if (before !== message.run.state) this.#options.onChange?.();
    }
  }

  async #reload(): Promise<void> {
    const response = await fetch(`/api/v1/runs/${this.run.id}/series?width=1500`);
    if (response.ok) this.series.replace(curvesFrom(readReply(await response.json())));
  }
}

type SeriesReply = Parameters<typeof curvesFrom>[0];
function readReply(reply: unknown): SeriesReply {
  const { series } = reply as { series: SeriesReply };
  return series;
}
