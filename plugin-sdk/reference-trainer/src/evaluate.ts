import { loadModel } from './stored-model.ts';
import type { Network } from './network.ts';
import { softmax } from './network.ts';
import { toInput } from './preprocess.ts';
import {
  InputError,
  rank,
  scoreClassification,
  type ClassScore,
  type FinalMetrics,
  type Run,
} from './trainer_sdk/index.ts';

/** Writes predictions.jsonl and metrics.json of a split. */
export async function evaluateSplit(
  run: Run,
  net: Network,
  split: string,
  names: readonly string[],
): Promise<FinalMetrics> {
  const labels: number[] = [];
  const ranked: ClassScore[][] = [];
  const total = run.samples(split).length;
  let loss = 0;
  for await (const { sample, picture } of run.pictures(split)) {
    const timed = infer(net, () => toInput(picture, net.shape.side));
    loss -= Math.log(Math.max(1e-12, timed.chances[sample.label] ?? 0));
    labels.push(sample.label);
    ranked.push(timed.ranked);
    run.prediction(sample.path, picture, timed.ranked, timed.ms);
    if (run.job.command === 'evaluate') run.progress('image', labels.length, total);
  }
  const scores = scoreClassification(labels, ranked, names);
  const more = { loss: loss / Math.max(1, labels.length) };
  run.writePredictions();
  run.report(split, labels.length, scores, more);
  return { ...scores.metrics, ...more };
}

function infer(net: Network, prepare: () => Float32Array, most = 5) {
  const t0 = performance.now();
  const input = prepare();
  const t1 = performance.now();
  const logits = net.forward(input);
  const t2 = performance.now();
  const chances = softmax(logits);
  const ranked = rank(chances, most);
  const t3 = performance.now();
  const round = (value: number): number => Math.round(value * 1000) / 1000;
  return { chances, ranked, ms: { pre: round(t1 - t0), infer: round(t2 - t1), post: round(t3 - t2) } };
}

export async function evaluate(run: Run): Promise<FinalMetrics> {
  const { net, labels } = loadModel(run);
  const names = run.classes.map((item) => item.name);
  if (names.join('\n') !== labels.join('\n')) {
    throw new InputError('The classes of the dataset are not those the checkpoint was trained on.', {
      code: 'input.checkpoint_incompatible',
      hint: `The checkpoint knows, in this order: ${labels.join(', ').slice(0, 1000)}.`,
    });
  }
  const metrics = await run.phase('evaluate', () => evaluateSplit(run, net, run.job.split, names));
  const split = run.job.split === 'train' || run.job.split === 'test' ? run.job.split : 'val';
  run.metric(split, metrics, { step: 0 });
  return metrics;
}

export async function predict(run: Run): Promise<void> {
  const { net } = loadModel(run);
  await run.phase('predict', async () => {
    let done = 0;
    for await (const { path, picture } of run.sourcePictures()) {
      const { ranked, ms } = infer(net, () => toInput(picture, net.shape.side), run.job.predict.topK);
      run.prediction(path, picture, ranked, ms);
      done += 1;
      run.progress('image', done, null);
    }
    run.writePredictions();
  });
}
