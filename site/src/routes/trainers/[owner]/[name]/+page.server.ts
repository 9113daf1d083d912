import { fail, redirect } from '@sveltejs/kit';
import {
  approveRelease,
  deprecateRelease,
  getTrainer,
  proveRelease,
  undoDeprecation,
  yankRelease,
} from '@trainyard/plugin-sdk/api';
import { readPresets } from '#lib/config-form/presets.ts';
import { answer, need } from '#lib/server/answers.ts';
import { manifestView } from '#lib/server/manifest-view.ts';
import { renderMarkdown } from '#lib/server/markdown.ts';
import type { Actions, PageServerLoad } from './$types';

const TABS = ['readme', 'models', 'settings', 'proof', 'releases'] as const;

export const load: PageServerLoad = async ({ locals, params, url, depends }) => {
  depends('trainer:page');
  const version = url.searchParams.get('version');
  const { card, release, releases } = await need(
    locals.hub.call(getTrainer, { params, query: version === null ? {} : { version } }),
  );
  const tab = TABS.find((name) => name === url.searchParams.get('tab')) ?? 'readme';
  const { readme, changelog, manifest, ...rest } = release;
  const fileUrl = (path: string): string => `/api/v1/releases/${release.id}/file?path=${encodeURIComponent(path)}`;
  return {
    tab,
    pinned: version,
    card,
    release: rest,
    releases,
    view: manifestView(manifest),
    presets: readPresets(release.presets),
    readme: tab === 'readme' ? await renderMarkdown(withoutTitle(readme, release.title), fileUrl) : '',
    changelog: tab === 'releases' && changelog !== null ? await renderMarkdown(changelog, fileUrl) : '',
  };
};

/** The page has the title already; a readme that begins with the same one would say it twice. */
function withoutTitle(readme: string, title: string): string {
  const [first = '', ...rest] = readme.trimStart().split('\n');
  const heading = /^#\s+(.+?)\s*$/.exec(first)?.[1]?.toLowerCase();
  return heading !== undefined &&
    (heading === title.toLowerCase() || title.toLowerCase().includes(heading) || heading.includes(title.toLowerCase()))
    ? rest.join('\n')
    : readme;
}

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
  prove: async ({ locals, request }) => {
    const release = String((await request.formData()).get('release'));
    const result = await answer(locals.hub.call(proveRelease, { params: { release } }));
    return result.ok ? {} : fail(result.problem.status, { problem: result.problem });
  },
  deprecate: async ({ locals, request, params, url }) => {
    const form = await request.formData();
    const result = await answer(
      locals.hub.call(deprecateRelease, {
        params: { ...params, version: String(form.get('version')) },
        body: { reason: String(form.get('reason')) },
      }),
    );
    if (!result.ok) return fail(result.problem.status, { problem: result.problem });
    redirect(303, url.pathname);
  },
  undeprecate: async ({ locals, request, params, url }) => {
    const form = await request.formData();
    const result = await answer(
      locals.hub.call(undoDeprecation, { params: { ...params, version: String(form.get('version')) } }),
    );
    if (!result.ok) return fail(result.problem.status, { problem: result.problem });
    redirect(303, url.pathname);
  },
  yank: async ({ locals, request, params, url }) => {
    const form = await request.formData();
    const version = String(form.get('version'));
    const result = await answer(
      locals.hub.call(yankRelease, { params: { ...params, version }, body: { reason: String(form.get('reason')) } }),
    );
    if (!result.ok) return fail(result.problem.status, { problem: result.problem });
    redirect(303, `${url.pathname}?version=${encodeURIComponent(version)}`);
  },
};
