import { fail, redirect } from '@sveltejs/kit';
import { deleteDataset, getDataset, listImages } from '@trainyard/plugin-sdk/api';
import { classColour } from '@trainyard/plugin-sdk/dataset';
import { answer, need } from '#lib/server/answers.ts';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, params, url }) => {
  const found = await need(locals.hub.call(getDataset, { params }));
  const wanted = url.searchParams.get('snapshot');
  const snapshot = found.snapshots.find((item) => item.id === wanted) ?? found.dataset.snapshot;
  const split = url.searchParams.get('split') ?? '';
  const label = url.searchParams.get('class') ?? '';
  const cursor = url.searchParams.get('cursor');
  const query = {
    limit: 60,
    ...(split === '' ? {} : { split }),
    ...(/^\d+$/.test(label) ? { class: Number(label) } : {}),
    ...(cursor === null ? {} : { cursor }),
  };
  const images =
    snapshot === null
      ? undefined
      : await answer(locals.hub.call(listImages, { params: { snapshot: snapshot.id }, query }));
  return {
    ...found,
    snapshot,
    colours: snapshot?.classes.map(({ index, color }) => classColour(index, color)) ?? [],
    images: images?.ok === true ? images.value.items : [],
    next: images?.ok === true ? images.value.next : null,
    problem: images?.ok === false ? images.problem : undefined,
    split,
    label,
  };
};

export const actions: Actions = {
  remove: async ({ locals, params }) => {
    const result = await answer(locals.hub.call(deleteDataset, { params }));
    if (!result.ok) return fail(result.problem.status, { problem: result.problem });
    redirect(303, '/datasets');
  },
};
