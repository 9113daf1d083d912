import type { RunShape } from '@trainyard/plugin-sdk/api';
import { present } from '#lib/clock.svelte.ts';
import type { Messages } from '#lib/i18n/index.ts';
import type { Station, StationState } from '#lib/ui/Track.svelte';

interface AttemptLike {
  readonly number: number;
  readonly phase: string;
  readonly sentence: string | null;
  readonly outcome: string | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
}

const ORDER = ['queued', 'preparing', 'running', 'collecting', 'ended'];
const ALIASES: Readonly<Record<string, string>> = {
  claimed: 'preparing',
  scheduling: 'preparing',
  pulling: 'preparing',
  stopping: 'running',
};

function seconds(from: string, to: string | null): number {
  return Math.max(0, ((to === null ? present() : Date.parse(to)) - Date.parse(from)) / 1000);
}

/** Phases of the newest attempt as stations; earlier attempts stand before it as one station each. */
export function runStations(run: RunShape, attempts: readonly AttemptLike[], t: Messages): Station[] {
  const newest = attempts.at(-1);
  const earlier: Station[] = attempts.slice(0, -1).map((attempt) => ({
    id: `attempt-${attempt.number}`,
    title: t.lab.attempt(attempt.number),
    state: attempt.outcome === 'failed' || attempt.outcome === 'lost' ? 'failed' : 'done',
    seconds: seconds(attempt.startedAt, attempt.endedAt),
    note: attempt.sentence ?? undefined,
  }));
  const phase = ['succeeded', 'failed', 'cancelled', 'paused'].includes(run.state)
    ? 'ended'
    : (ALIASES[run.phase ?? ''] ?? run.phase ?? 'queued');
  const at = Math.max(0, ORDER.indexOf(phase));
  const broken = run.state === 'failed';
  const brokenAt = newest === undefined ? 0 : run.startedAt === null ? 1 : 2;

  function stateOf(index: number): StationState {
    if (index === ORDER.length - 1)
      return run.state === 'succeeded' ? 'done' : broken ? 'failed' : phase === 'ended' ? 'skipped' : 'waiting';
    // The stage that broke carries the cross; what comes after it was not reached.
    if (broken) return index < brokenAt ? 'done' : index === brokenAt ? 'failed' : 'skipped';
    if (phase === 'ended') return newest === undefined && index > 0 ? 'skipped' : 'done';
    return index < at ? 'done' : index === at ? 'now' : 'waiting';
  }
  return [
    ...earlier,
    ...ORDER.map((name, index): Station => ({
      id: name,
      title:
        index === ORDER.length - 1 && phase === 'ended'
          ? (t.states[run.state] ?? run.state)
          : (t.lab.phases[name] ?? name),
      state: stateOf(index),
      seconds: secondsOf(name),
      note: index === at && phase !== 'ended' ? (newest?.sentence ?? undefined) : undefined,
    })),
  ];

  function secondsOf(name: string): number | undefined {
    if (name === 'queued' && newest !== undefined && attempts.length === 1)
      return seconds(run.createdAt, newest.startedAt);
    if (name === 'running' && newest !== undefined && (phase === 'ended' || phase === 'running'))
      return seconds(newest.startedAt, newest.endedAt);
    return undefined;
  }
}
