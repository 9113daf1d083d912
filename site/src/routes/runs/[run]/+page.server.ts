import { fail, redirect } from '@sveltejs/kit';
import {
  getDataset,
  getRun,
  listDatasets,
  readLog,
  readSeries,
  resumeRun,
  startRun,
  stopRun,
  type RunInput,
} from '@trainyard/plugin-sdk/api';
import { classColour } from '@trainyard/plugin-sdk/dataset';
import { curvesFrom } from '#lib/charts/series-shape.ts';
import { answer, need } from '#lib/server/answers.ts';
import { tabsOf } from './run-tabs.ts';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, params, url, depends }) => {
  depends('run:page');
  const asked = url.searchParams.get('tab');
  const [detail, series, log] = await Promise.all([
    need(locals.hub.call(getRun, { params })),
    answer(locals.hub.call(readSeries, { params, query: { width: 1500 } })),
    answer(locals.hub.call(readLog, { params, query: { limit: asked === 'log' ? 1000 : 200 } })),
  ]);
  const tabs = tabsOf(detail);
  const tab = tabs.find((name) => name === asked) ?? tabs[0];
  // Predictions name classes by index; their names are the dataset's.
  const { dataset } = detail.run;
  const drawn = detail.run.verb !== 'train' && dataset !== null;
  const seen = drawn ? await answer(locals.hub.call(getDataset, { params: { dataset: dataset.id } })) : null;
  const snapshot = seen?.ok === true ? seen.value.snapshots.find((item) => item.id === dataset?.snapshot) : undefined;
  const others =
    tab === 'predict' ? await answer(locals.hub.call(listDatasets, { query: { task: detail.run.task } })) : null;
  return {
    tab,
    datasets: (others?.ok === true ? others.value.items : []).map(({ id, name, snapshot: newest }) => ({
      id,
      name,
      splits: newest?.splits.map((split) => split.name) ?? [],
    })),
    classes: (snapshot?.classes ?? []).map(({ index, name, color }) => ({
      index,
      name,
      color: classColour(index, color),
    })),
    skeleton: snapshot?.keypoints?.skeleton ?? [],
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
