import { getDataset, getRun, type RunDetail } from '@trainyard/plugin-sdk/api';
import { classColour } from '@trainyard/plugin-sdk/dataset';
import { FINAL_STATES } from '#lib/live/run-feed.svelte.ts';
import { answer, need } from '#lib/server/answers.ts';
import { bestCheckpoint } from '../best-checkpoint.ts';
import type { PageServerLoad } from './$types';

/** What a picture can be tried with. A browser runs ONNX: a checkpoint without such an export is exported by the first picture. */
interface Model {
  readonly id: string;
  readonly kind: 'checkpoint' | 'export';
  readonly name: string;
  readonly metric: RunDetail['checkpoints'][number]['metric'];
  /** The artifact that the browser loads. */
  readonly artifact: string | null;
  /** The run that is making it. */
  readonly underWay: string | null;
  /** Of an export. */
  readonly precision: string;
  readonly bytes: number;
}

/** Why there is nothing to try a picture with. */
function whyNothing({ checkpoints, exportFormats }: RunDetail): 'checkpoint' | 'permission' | 'format' {
  if (checkpoints.length === 0) return 'checkpoint';
  return exportFormats.includes('onnx') ? 'permission' : 'format';
}

function exportModel(item: RunDetail['exports'][number]): Model {
  return {
    id: item.id,
    kind: 'export',
    name: item.checkpoint,
    metric: null,
    artifact: item.id,
    underWay: null,
    precision: item.precision,
    bytes: item.bytes,
  };
}

function checkpointModel(
  item: RunDetail['checkpoints'][number],
  { children }: RunDetail,
  made?: RunDetail['exports'][number],
): Model {
  const making = children.find(
    (child) => child.verb === 'export' && child.checkpoint === item.id && !FINAL_STATES.includes(child.state),
  );
  return {
    id: item.id,
    kind: 'checkpoint',
    name: item.name,
    metric: item.metric,
    artifact: made?.id ?? null,
    underWay: making?.id ?? null,
    precision: made?.precision ?? '',
    bytes: made?.bytes ?? 0,
  };
}

export const load: PageServerLoad = async ({ locals, params, url }) => {
  const detail = await need(locals.hub.call(getRun, { params }));
  const { run, checkpoints, can } = detail;
  const usable = detail.exports.filter((item) => item.format === 'onnx').toReversed();
  const canExport = can.export && detail.exportFormats.includes('onnx');
  const ofExports = usable.map(exportModel);
  const ofCheckpoints = checkpoints.toReversed().map((item) =>
    checkpointModel(
      item,
      detail,
      usable.find((made) => made.checkpointId === item.id),
    ),
  );
  const models = [...ofCheckpoints.filter((item) => canExport || item.artifact !== null), ...ofExports];
  const best = bestCheckpoint(checkpoints)?.id;
  const first = ofExports[0] ?? models.find((item) => item.id === best) ?? models[0] ?? null;
  const seen =
    run.dataset === null ? null : await answer(locals.hub.call(getDataset, { params: { dataset: run.dataset.id } }));
  const snapshot =
    seen?.ok === true ? seen.value.snapshots.find((item) => item.id === run.dataset?.snapshot) : undefined;
  return {
    run,
    models,
    chosen: models.find((item) => item.id === url.searchParams.get('with')) ?? first,
    nothing: whyNothing(detail),
    canPredict: can.predict,
    colours: Array.from({ length: 256 }, (_, index) => classColour(index)),
    skeleton: snapshot?.keypoints?.skeleton ?? [],
  };
};
