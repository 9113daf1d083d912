import { fail, redirect } from '@sveltejs/kit';
import { TASKS } from '@trainyard/plugin-sdk';
import { addDatasetFolder, listDatasets, synthSampleDataset } from '@trainyard/plugin-sdk/api';
import { answer, need } from '#lib/server/answers.ts';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, url }) => {
  const query = Object.fromEntries(
    (['q', 'task', 'cursor'] as const).flatMap((name) => {
      const value = url.searchParams.get(name)?.trim();
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );
  const datasets = await need(locals.hub.call(listDatasets, { query: { ...query, limit: 48 } }));
  return {
    datasets: datasets.items,
    next: datasets.next,
    q: url.searchParams.get('q') ?? '',
    task: url.searchParams.get('task') ?? '',
  };
};

function isTask(text: string): text is keyof typeof TASKS {
  return Object.hasOwn(TASKS, text);
}

function textOf(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === 'string' ? value.trim() : '';
}

export const actions: Actions = {
  synth: async ({ locals, request }) => {
    const task = textOf(await request.formData(), 'task');
    const result = await answer(
      locals.hub.call(synthSampleDataset, { body: { task: isTask(task) ? task : 'detect' } }),
    );
    if (!result.ok) return fail(result.problem.status, { problem: result.problem });
    redirect(303, `/datasets/${result.value.dataset.id}`);
  },
  folder: async ({ locals, request }) => {
    const form = await request.formData();
    const body = { name: textOf(form, 'name'), path: textOf(form, 'path') };
    const result = await answer(locals.hub.call(addDatasetFolder, { body }));
    if (!result.ok) return fail(result.problem.status, { problem: result.problem, ...body });
    redirect(303, `/datasets/${result.value.dataset.id}`);
  },
};
