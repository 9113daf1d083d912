import { getDataset, getRun } from '@trainyard/plugin-sdk/api';
import { classColour } from '@trainyard/plugin-sdk/dataset';
import { answer, need } from '#lib/server/answers.ts';
import type { PageServerLoad } from './$types';

/** Only exports as ONNX run in a browser. */
export const load: PageServerLoad = async ({ locals, params, url }) => {
  const { run, exports, can, exportFormats } = await need(locals.hub.call(getRun, { params }));
  const usable = exports.filter((item) => item.format === 'onnx').toReversed();
  const seen =
    run.dataset === null ? null : await answer(locals.hub.call(getDataset, { params: { dataset: run.dataset.id } }));
  const snapshot =
    seen?.ok === true ? seen.value.snapshots.find((item) => item.id === run.dataset?.snapshot) : undefined;
  return {
    run,
    chosen: usable.find((item) => item.id === url.searchParams.get('export')) ?? usable[0] ?? null,
    exports: usable,
    canExport: can.export && exportFormats.includes('onnx'),
    colours: Array.from({ length: 256 }, (_, index) => classColour(index)),
    skeleton: snapshot?.keypoints?.skeleton ?? [],
  };
};
