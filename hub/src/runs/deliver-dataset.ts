import { ensureView, isFormat, isTask } from '../datasets/ensure-view.ts';
import type { RunDeps } from './deps.ts';
import type { FrozenRun } from './freeze/frozen-run.ts';

/** Converts the snapshot when the trainer reads another format, once for all runs; the spec then names the digest that the trainer really gets. */
export async function deliverDataset(
  deps: Pick<RunDeps, 'db' | 'blobs' | 'scratch'>,
  frozen: FrozenRun,
): Promise<FrozenRun> {
  const { dataset } = frozen.spec;
  if (dataset === null || !isTask(dataset.task) || !isFormat(dataset.format)) return frozen;
  const digest = await ensureView(deps, dataset.snapshot, { task: dataset.task, format: dataset.format });
  return { ...frozen, spec: { ...frozen.spec, dataset: { ...dataset, digest } } };
}
