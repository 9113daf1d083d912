import { parseEventLine, Problem, type AnyEvent } from '@trainyard/plugin-sdk';
import { storableJson } from '../platform/storable-text.ts';
import type { JournalRows, MarkRow } from './append-journal.sql.ts';
import { mergeLatest, toColumns, type MetricEvent } from './metric-points.ts';

/** Pure: what one request adds to the journal, given the mark of its attempt. */

export type JournalRequest =
  | { readonly kind: 'events'; readonly firstSeq: number; readonly events: readonly AnyEvent[] }
  | { readonly kind: 'log'; readonly stream: 'stdout' | 'stderr'; readonly offset: number; readonly bytes: Buffer };

/** Bytes of log kept per attempt. The runner keeps head and tail of a flood below this; whatever passes it is counted as dropped. */
export const LOG_LIMIT = 100 * 1024 * 1024;

/** Checks a batch before it is queued: a bad one must not fail its neighbours in the flush. */
export function parseBatch(firstSeq: number, lines: readonly string[]): AnyEvent[] {
  return lines.map((line, i) => {
    const parsed = parseEventLine(storableJson(line));
    if (!parsed.ok)
      throw new Problem('bad-request', {
        detail: `Line ${i} is not an event: ${parsed.reason}.`,
        fix: 'Send what is no event as log.',
      });
    if (parsed.event.seq !== firstSeq + i)
      throw new Problem('bad-request', {
        detail: `Line ${i} has seq ${parsed.event.seq}, expected ${firstSeq + i}.`,
        fix: 'Fill holes with a gap event.',
      });
    return parsed.event;
  });
}

export type Planned =
  | { readonly answer: number; readonly mark: MarkRow; readonly rows: Omit<JournalRows, 'marks'> }
  | { readonly problem: Problem };

const EPHEMERAL = new Set(['metric', 'log', 'progress', 'usage']);

/** Last sequence number that an event stands for: a gap claims a range. */
function lastSeqOf(event: AnyEvent): number {
  return event.type === 'gap' && 'to' in event ? event.to : event.seq;
}

/** What an event adds to the log people read; most say nothing there. */
function logLineOf(event: AnyEvent): string {
  if ('other' in event) return '';
  switch (event.type) {
    case 'started':
      return `${event.trainer.name} ${event.trainer.version}: ${event.command} ${event.model} on ${event.device.name}${event.resumedFrom === undefined ? '' : `, from step ${event.resumedFrom.step}`}\n`;
    case 'log':
      return `${event.level === 'info' ? '' : `${String(event.level)}: `}${event.message}\n`;
    case 'warning':
      return `warning ${event.code}: ${event.message}\n`;
    case 'checkpoint': {
      const metric = event.metric?.value == null ? '' : `, ${event.metric.name} ${event.metric.value.toPrecision(4)}`;
      return `checkpoint ${event.id} at step ${event.step}${metric}\n`;
    }
    case 'failed':
      return `failed ${event.code}: ${event.message}\n${event.detail == null ? '' : `${event.detail}\n`}`;
    case 'stopped':
      return `stopped (${event.reason})\n`;
    case 'finished':
      return `finished in ${event.seconds.toFixed(1)} s\n`;
    case 'gap':
      return `events ${event.from} to ${event.to} are lost\n`;
    case 'phase':
    case 'progress':
    case 'metric':
    case 'artifact':
    case 'usage':
      return '';
  }
}

function planEvents(mark: MarkRow, request: Extract<JournalRequest, { kind: 'events' }>): Planned {
  const nothing = { segments: [], events: [], logs: [] };
  const last = request.events.reduce((high, event) => Math.max(high, lastSeqOf(event)), request.firstSeq - 1);
  if (request.firstSeq > mark.next_seq)
    return {
      problem: new Problem('events-gap', {
        detail: `Events from ${mark.next_seq} on are missing.`,
        extra: { next: mark.next_seq },
      }),
    };
  if (last < mark.next_seq) return { answer: mark.next_seq, mark, rows: nothing };
  const fresh = request.events.filter((event) => event.seq >= mark.next_seq);
  const metrics = fresh.filter((event) => event.type === 'metric' && 'values' in event) as unknown as MetricEvent[];
  const columns = toColumns(metrics);
  const points = columns.reduce((sum, column) => sum + column.steps.length, 0);
  const logText = fresh.map(logLineOf).join('');
  const next: MarkRow = {
    ...mark,
    next_seq: last + 1,
    latest: columns.length === 0 ? mark.latest : mergeLatest(mark.latest, columns),
    points: mark.points + points,
    segments: mark.segments + (points > 0 ? 1 : 0),
    progress: fresh.findLast((event) => event.type === 'progress') ?? null,
    usage: fresh.findLast((event) => event.type === 'usage') ?? null,
  };
  return {
    answer: next.next_seq,
    mark: next,
    rows: {
      segments: points === 0 ? [] : [{ attempt: mark.attempt, first: mark.next_seq, last, points, columns }],
      events: fresh
        .filter((event) => !EPHEMERAL.has(event.type))
        .map((event) => ({ attempt: mark.attempt, seq: event.seq, type: event.type, body: JSON.stringify(event) })),
      logs:
        logText === ''
          ? []
          : [{ attempt: mark.attempt, stream: 'event', offset: mark.next_seq, body: Buffer.from(logText) }],
    },
  };
}

function planLog(mark: MarkRow, request: Extract<JournalRequest, { kind: 'log' }>): Planned {
  const acked = request.stream === 'stdout' ? mark.stdout_acked : mark.stderr_acked;
  if (request.offset > acked)
    return { problem: new Problem('log-gap', { detail: `Bytes from ${acked} on are missing.`, extra: { acked } }) };
  const body = request.bytes.subarray(Math.max(0, acked - request.offset));
  const end = acked + body.length;
  const room = Math.max(0, LOG_LIMIT - mark.log_kept);
  const kept = body.subarray(0, room);
  const next: MarkRow = {
    ...mark,
    progress: null,
    usage: null,
    ...(request.stream === 'stdout' ? { stdout_acked: end } : { stderr_acked: end }),
    log_kept: mark.log_kept + kept.length,
    log_dropped: mark.log_dropped + body.length - kept.length,
  };
  return {
    answer: end,
    mark: next,
    rows: {
      segments: [],
      events: [],
      logs:
        kept.length === 0
          ? []
          : [{ attempt: mark.attempt, stream: request.stream, offset: acked, body: Buffer.from(kept) }],
    },
  };
}

export function planAppend(mark: MarkRow, request: JournalRequest): Planned {
  return request.kind === 'events' ? planEvents(mark, request) : planLog(mark, request);
}
