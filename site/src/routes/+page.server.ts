import { fail } from '@sveltejs/kit';
import {
  listBundled,
  listRuns,
  prepareBundled,
  readSeries,
  searchTrainers,
  type RunShape,
} from '@trainyard/plugin-sdk/api';
import type { HubClient } from '@trainyard/plugin-sdk/client';
import { curvesFrom, type Curve } from '#lib/charts/series-shape.ts';
import { answer, need } from '#lib/server/answers.ts';
import type { Actions, PageServerLoad } from './$types';

interface ShownRun {
  readonly run: RunShape;
  readonly curves: readonly Curve[];
  readonly cursor: string;
  readonly resumedAt: readonly number[];
}

async function withCurves(hub: HubClient, run: RunShape, width: number): Promise<ShownRun> {
  const series = await answer(hub.call(readSeries, { params: { run: run.id }, query: { width } }));
  return series.ok
    ? { run, curves: curvesFrom(series.value.series), cursor: series.value.cursor, resumedAt: series.value.resumedAt }
    : { run, curves: [], cursor: '', resumedAt: [] };
}

/** The run to show large: what runs now, the sample first; otherwise the newest training. */
function pickRun(runs: readonly RunShape[]): RunShape | undefined {
  const training = runs.filter((run) => run.verb === 'train');
  const now = training.filter((run) => ['running', 'queued'].includes(run.state));
  return now.find((run) => run.sample) ?? now[0] ?? training[0];
}

export const load: PageServerLoad = async ({ locals, depends }) => {
  depends('home:runs');
  const [trainers, bundled, runs] = await Promise.all([
    need(locals.hub.call(searchTrainers, { query: { sort: 'newest', limit: 6 } })),
    answer(locals.hub.call(listBundled, {})),
    answer(locals.hub.call(listRuns, { query: { limit: 20 } })),
  ]);
  const all = runs.ok ? runs.value.items : [];
  const large = pickRun(all);
  const others = all.filter((run) => run.id !== large?.id && run.state === 'running').slice(0, 4);
  const [featured, ...live] = await Promise.all([
    ...(large === undefined ? [] : [withCurves(locals.hub, large, 400)]),
    ...others.map((run) => withCurves(locals.hub, run, 80)),
  ]);
  return {
    trainers: trainers.items,
    total: trainers.total,
    bundled: bundled.ok ? bundled.value.items.filter((item) => item.state !== 'submitted') : [],
    featured: large === undefined ? undefined : featured,
    live: large === undefined ? [] : live,
  };
};

export const actions: Actions = {
  prepare: async ({ locals, request }) => {
    const name = String((await request.formData()).get('name'));
    const result = await answer(locals.hub.call(prepareBundled, { params: { name } }));
    return result.ok ? { prepared: name } : fail(result.problem.status, { problem: result.problem });
  },
};
