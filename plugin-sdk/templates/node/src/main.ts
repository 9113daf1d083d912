import { Model, shuffled, toInput } from './model.ts';
import {
  defineTrainer,
  rank,
  readSafetensors,
  scoreClassification,
  writeSafetensors,
  type ClassScore,
  type FinalMetrics,
  type Run,
  type StoredState,
} from './trainer_sdk/index.ts';

interface Example {
  readonly input: Float32Array;
  readonly label: number;
}

async function load(run: Run, split: string): Promise<Example[]> {
  const examples: Example[] = [];
  for await (const { sample, picture } of run.pictures(split)) {
    examples.push({ input: toInput(picture, run.number('image_size')), label: sample.label });
  }
  return examples;
}

function open(state: StoredState): Model {
  return Model.from(readSafetensors(state.file('weights.safetensors')));
}

async function train(run: Run): Promise<FinalMetrics> {
  const examples = await run.phase('prepare', () => load(run, 'train'));
  const val = await load(run, 'val');
  const [epochs, rate] = [run.number('epochs'), run.number('learning_rate')];
  const resumed = run.resume();
  const model = resumed === null ? new Model(run.classes.length, run.number('image_size') ** 2) : open(resumed);
  for (const key of ['epochs', 'learning_rate', 'image_size', 'seed']) run.effective(key, run.config[key]);

  // Checkpoints are written after whole epochs only, so a stop inside one falls back to the one before.
  let epoch = resumed === null ? 0 : Number(resumed.file('epoch.txt').toString());
  await run.phase('train', async () => {
    while (epoch < epochs) {
      let loss = 0;
      for (const [at, index] of shuffled(examples.length, run.seed, epoch).entries()) {
        if (at % 32 === 0) await run.safePoint();
        const example = examples[index];
        if (example !== undefined) loss += model.learn(example.input, example.label, rate);
      }
      epoch += 1;
      const step = epoch * examples.length;
      run.metric('train', { loss: loss / examples.length, learning_rate: rate }, { step, epoch });
      const ranked = val.map((example) => rank(model.chances(example.input)));
      const { metrics } = scoreClassification(
        val.map((example) => example.label),
        ranked,
        names(run),
      );
      run.metric('val', metrics, { step, epoch });
      run.progress('epoch', epoch, epochs);
      const files = { 'weights.safetensors': writeSafetensors(model.tensors()), 'epoch.txt': String(epoch) };
      run.checkpoint({ step, epoch, files, metric: metrics.top1 });
    }
  });
  return evaluateWith(run, run.best === null ? model : open(run.stored(run.best)), 'val');
}

function names(run: Run): string[] {
  return run.classes.map((item) => item.name);
}

async function evaluateWith(run: Run, model: Model, split: string): Promise<FinalMetrics> {
  const labels: number[] = [];
  const ranked: ClassScore[][] = [];
  for await (const { sample, picture } of run.pictures(split)) {
    const classes = rank(model.chances(toInput(picture, Math.sqrt(model.pixels))));
    run.prediction(sample.path, picture, classes, { pre: 0, infer: 0, post: 0 });
    labels.push(sample.label);
    ranked.push(classes);
  }
  const scores = scoreClassification(labels, ranked, names(run));
  run.writePredictions();
  run.report(split, labels.length, scores);
  return { ...scores.metrics };
}

async function predict(run: Run): Promise<void> {
  const model = open(run.source());
  for await (const { path, picture } of run.sourcePictures()) {
    const classes = rank(model.chances(toInput(picture, Math.sqrt(model.pixels))), run.job.predict.topK);
    run.prediction(path, picture, classes, { pre: 0, infer: 0, post: 0 });
  }
  run.writePredictions();
}

const program = defineTrainer({
  manifest: new URL('../trainer.yaml', import.meta.url),
  versions: { 'softmax-regression': '0.1.0' },
  train,
  evaluate: (run) => evaluateWith(run, open(run.source()), run.job.split),
  predict,
});

await program.main();
