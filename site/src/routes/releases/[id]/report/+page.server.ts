import { fail } from '@sveltejs/kit';
import { approveRelease, getRelease } from '@trainyard/plugin-sdk/api';
import { answer, need } from '#lib/server/answers.ts';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, params, depends }) => {
  depends('release:report');
  const {
    readme: _readme,
    changelog: _changelog,
    manifest: _manifest,
    configSchema: _schema,
    presets: _presets,
    ...release
  } = await need(locals.hub.call(getRelease, { params: { release: params.id } }));
  return { release };
};

export const actions: Actions = {
  approve: async ({ locals, request }) => {
    const form = await request.formData();
    const result = await answer(
      locals.hub.call(approveRelease, {
        params: { release: String(form.get('release')) },
        body: { digest: String(form.get('digest')) },
      }),
    );
    return result.ok ? { approved: true } : fail(result.problem.status, { problem: result.problem });
  },
};
