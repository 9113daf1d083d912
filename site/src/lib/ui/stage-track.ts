import type { Messages } from '#lib/i18n/index.ts';
import type { Station, StationState } from './Track.svelte';

interface StageLike {
  readonly stage: string;
  readonly state: string;
  readonly seconds: number;
  readonly reason?: string;
}

const STATES: Readonly<Record<string, StationState>> = {
  waiting: 'waiting',
  running: 'now',
  passed: 'done',
  failed: 'failed',
  error: 'failed',
  skipped: 'skipped',
};

/** Stages of a check as stations of the track. */
export function stageStations(stages: readonly StageLike[], t: Messages): Station[] {
  return stages.map((stage) => ({
    id: stage.stage,
    title: t.author.stages[stage.stage] ?? stage.stage,
    state: STATES[stage.state] ?? 'waiting',
    seconds: stage.state === 'skipped' ? undefined : stage.seconds,
    note: stage.reason,
  }));
}
