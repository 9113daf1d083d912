/**
 * The script a scripted trainer follows, out of `config` of its job.json. The real program (scripted-trainer.ts) and the fake backend play the
 * same scripts, so one suite judges both.
 */
export type ScriptStep =
  /** One event; `v`, `seq` and `ts` are added. */
  | { readonly do: 'event'; readonly event: Readonly<Record<string, unknown>> }
  /** Bytes into events.jsonl as they are. */
  | { readonly do: 'raw-events'; readonly text: string }
  | { readonly do: 'truncate-events' }
  /** `base64` wins over `text`. */
  | { readonly do: 'print'; readonly text?: string; readonly base64?: string; readonly to?: 'stdout' | 'stderr' }
  /** Numbered lines of 100 bytes. */
  | { readonly do: 'flood'; readonly lines: number; readonly to?: 'stdout' | 'stderr' }
  | { readonly do: 'sleep'; readonly ms: number }
  /** Written as contract.md §5.8 says: temporary name, rename, index last; then the event. `saveMs` is spent before the rename. */
  | { readonly do: 'checkpoint'; readonly id: string; readonly step: number; readonly saveMs?: number }
  | { readonly do: 'artifact'; readonly path: string; readonly text: string }
  /** Takes memory in pieces and keeps it. */
  | { readonly do: 'allocate'; readonly bytes: number; readonly pieceMs?: number }
  /** Starts children that sleep; `escape` moves them into sessions of their own. */
  | { readonly do: 'fork'; readonly children: number; readonly escape?: boolean }
  | { readonly do: 'fill-disk'; readonly bytes: number; readonly pieceMs?: number }
  | { readonly do: 'kill-self' }
  /** Goes away together with whoever could tell how it ended. */
  | { readonly do: 'vanish' }
  | { readonly do: 'exit'; readonly code: number };

export interface TrainerScript {
  readonly steps: readonly ScriptStep[];
  /** What SIGTERM does: save, say `stopped` and exit 75 (default) · nothing · end at once. */
  readonly onTerm: 'save' | 'ignore' | 'die';
  /** How long that save takes. */
  readonly saveMs: number;
  /** For the fake backend alone. */
  readonly fake: {
    readonly refuse?: string;
    readonly unavailable?: string;
    readonly startFailed?: string;
    readonly startDelayMs?: number;
  };
}

/** Reads the script of a job; a job without one emits a short, correct training. */
export function parseTrainerScript(jobFile: string): TrainerScript {
  const job: unknown = JSON.parse(jobFile);
  const config = isRecord(job) && isRecord(job['config']) ? job['config'] : {};
  const steps = Array.isArray(config['script']) ? (config['script'] as readonly ScriptStep[]) : SHORT_TRAINING; // tests write it
  const onTerm = config['onTerm'];
  const saveMs = config['saveMs'];
  const fake = config['fake'];
  return {
    steps,
    onTerm: onTerm === 'ignore' || onTerm === 'die' ? onTerm : 'save',
    saveMs: typeof saveMs === 'number' ? saveMs : 0,
    fake: isRecord(fake) ? (fake as TrainerScript['fake']) : {}, // tests write it
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const STARTED = {
  type: 'started',
  trainer: { name: '@trainyard/scripted', version: '1.0.0' },
  contract: '1.0',
  command: 'train',
  task: 'classify',
  model: 'none',
  device: { kind: 'cpu', name: 'CPU', count: 1 },
  versions: {},
};

export function startedStep(): ScriptStep {
  return { do: 'event', event: STARTED };
}

/** Three epochs, one checkpoint, one artifact, a normal end. */
export const SHORT_TRAINING: readonly ScriptStep[] = [
  startedStep(),
  { do: 'event', event: { type: 'phase', name: 'train', state: 'begin' } },
  ...[1, 2, 3].map((epoch): ScriptStep => ({
    do: 'event',
    event: { type: 'metric', step: epoch * 10, epoch, split: 'val', values: { top1: 0.25 * epoch } },
  })),
  { do: 'checkpoint', id: 'c-000001', step: 30 },
  { do: 'artifact', path: 'tables/confusion.csv', text: 'class,hits\n0,7\n' },
  { do: 'event', event: { type: 'phase', name: 'train', state: 'end' } },
  { do: 'event', event: { type: 'finished', metrics: { top1: 0.75 }, seconds: 1 } },
  { do: 'exit', code: 0 },
];

/** Line `number` of a flood, exactly 100 bytes. */
export function floodLine(number: number): string {
  return `${String(number).padStart(10, '0')} ${'.'.repeat(88)}\n`;
}
export const FLOOD_LINE_BYTES = 100;
