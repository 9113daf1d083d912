import { fail, redirect } from '@sveltejs/kit';
import {
  fetchWeights,
  getRun,
  getTrainer,
  listDatasets,
  listReleaseWeights,
  preflightRun,
  startRun,
  type RunInput,
} from '@trainyard/plugin-sdk/api';
import { readPresets } from '#lib/config-form/presets.ts';
import { answer, need } from '#lib/server/answers.ts';
import { manifestView } from '#lib/server/manifest-view.ts';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, params, url }) => {
  const version = url.searchParams.get('version');
  const from = url.searchParams.get('from');
  const [{ release }, datasets, earlier] = await Promise.all([
    need(locals.hub.call(getTrainer, { params, query: version === null ? {} : { version } })),
    answer(locals.hub.call(listDatasets, { query: { limit: 100 } })),
    from === null ? undefined : answer(locals.hub.call(getRun, { params: { run: from } })),
  ]);
  const weights = await answer(locals.hub.call(listReleaseWeights, { params: { release: release.id }, query: {} }));
  return {
    weights: weights.ok ? weights.value.items : [],
    release: {
      id: release.id,
      owner: release.owner,
      name: release.name,
      version: release.version,
      title: release.title,
      state: release.state,
      can: release.can,
    },
    view: manifestView(release.manifest),
    schema: release.configSchema,
    presets: readPresets(release.presets),
    datasets: datasets.ok ? datasets.value.items : [],
    dataset: url.searchParams.get('dataset'),
    set: readSettings(url.searchParams.get('set')),
    earlier:
      earlier?.ok === true
        ? {
            run: earlier.value.run,
            config: earlier.value.config,
            device: earlier.value.device,
            weights: earlier.value.weights,
          }
        : undefined,
  };
};

function readSettings(text: string | null): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value))
      : {};
  } catch {
    return {};
  }
}

function readInput(form: FormData): RunInput {
  function text(name: string): string | undefined {
    const value = form.get(name);
    return typeof value === 'string' && value !== '' ? value : undefined;
  }
  const [trainer, version, task, model, dataset, preset, name, weights] = [
    'trainer',
    'version',
    'task',
    'model',
    'dataset',
    'preset',
    'name',
    'weights',
  ].map(text);
  const device = form.get('device') === 'cuda' ? 'cuda' : 'cpu';
  return {
    verb: 'train',
    device,
    config: readSettings(text('config') ?? null),
    ...(trainer === undefined ? {} : { trainer }),
    ...(version === undefined ? {} : { version }),
    ...(task === undefined ? {} : { task }),
    ...(model === undefined ? {} : { model }),
    ...(dataset === undefined ? {} : { dataset }),
    ...(preset === undefined ? {} : { preset }),
    ...(name === undefined ? {} : { name }),
    ...(weights === undefined ? {} : { weights }),
  };
}

export const actions: Actions = {
  check: async ({ locals, request }) => {
    const result = await answer(locals.hub.call(preflightRun, { body: readInput(await request.formData()) }));
    return result.ok ? { preflight: result.value } : fail(result.problem.status, { problem: result.problem });
  },
  fetch: async ({ locals, request }) => {
    const form = await request.formData();
    const [url, sha256] = ['url', 'sha256'].map((name) => String(form.get(name) ?? '').trim());
    const body = { url: url ?? '', sha256: (sha256 ?? '').replace(/^sha256:/, '').toLowerCase() };
    const result = await answer(locals.hub.call(fetchWeights, { body }));
    return result.ok ? { fetching: result.value.sha256 } : fail(result.problem.status, { problem: result.problem });
  },
  start: async ({ locals, request }) => {
    const result = await answer(locals.hub.call(startRun, { body: readInput(await request.formData()) }));
    if (!result.ok) return fail(result.problem.status, { problem: result.problem });
    redirect(303, `/runs/${result.value.id}`);
  },
};
