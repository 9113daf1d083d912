import { fail, redirect } from '@sveltejs/kit';
import { getRun, readLog, readSeries, resumeRun, startRun, stopRun, type RunInput } from '@trainyard/plugin-sdk/api';
import { curvesFrom } from '#lib/charts/series-shape.ts';
import { answer, need } from '#lib/server/answers.ts';
import type { Actions, PageServerLoad } from './$types';

const TABS = ['metrics', 'settings', 'log', 'checkpoints', 'exports'] as const;

export const load: PageServerLoad = async ({ locals, params, url, depends }) => {
  depends('run:page');
  const tab = TABS.find((name) => name === url.searchParams.get('tab')) ?? 'metrics';
  const [detail, series, log] = await Promise.all([
    need(locals.hub.call(getRun, { params })),
    answer(locals.hub.call(readSeries, { params, query: { width: 1500 } })),
    answer(locals.hub.call(readLog, { params, query: { limit: tab === 'log' ? 1000 : 200 } })),
  ]);
  return {
    tab,
    detail,
    curves: series.ok ? curvesFrom(series.value.series) : [],
    cursor: series.ok ? series.value.cursor : '',
    resumedAt: series.ok ? series.value.resumedAt : [],
    log: log.ok ? log.value : { chunks: [], next: 0, more: false, dropped: 0 },
  };
};

export const actions: Actions = {
  stop: async ({ locals, params, request }) => {
    const what = (await request.formData()).get('what') === 'pause' ? 'pause' : 'cancel';
    const result = await answer(locals.hub.call(stopRun, { params, body: { what } }));
    return result.ok
      ? { done: what === 'pause' ? ('paused' as const) : ('stopped' as const) }
      : fail(result.problem.status, { problem: result.problem });
  },
  resume: async ({ locals, params }) => {
    const result = await answer(locals.hub.call(resumeRun, { params }));
    return result.ok ? { done: 'resumed' as const } : fail(result.problem.status, { problem: result.problem });
  },
  /** Evaluate, predict and export are runs of their own on a checkpoint of this one. */
  derive: async ({ locals, request }) => {
    const form = await request.formData();
    const verb = String(form.get('verb'));
    const checkpoint = String(form.get('checkpoint'));
    const input: RunInput =
      verb === 'export'
        ? { verb, checkpoint, format: String(form.get('format') ?? 'onnx') }
        : { verb: verb === 'predict' ? 'predict' : 'evaluate', checkpoint, split: 'val' };
    const result = await answer(locals.hub.call(startRun, { body: input }));
    if (!result.ok) return fail(result.problem.status, { problem: result.problem });
    redirect(303, `/runs/${result.value.id}`);
  },
};
