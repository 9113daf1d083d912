import { Adam } from './adam.ts';
import { evaluateSplit } from './evaluate.ts';
import { judge, type Examples } from './inference.ts';
import { loadNet, netFiles, parseProgress, readInitialWeights, readTensors, type Progress } from './net-files.ts';
import { Network, OWN_SIDE, softmax } from './network.ts';
import { shifted, toInput } from './preprocess.ts';
import {
  Diverged,
  Random,
  writeSafetensors,
  type CheckpointState,
  type FinalMetrics,
  type Run,
} from './trainer_sdk/index.ts';

const REPORT_EVERY = 5;
/** The rate ends at this part of its peak. */
const LAST_RATE = 0.05;

export function sideOf(run: Run): number {
  return run.numberOrNull('image_size') ?? OWN_SIDE[run.model] ?? 16;
}

export async function train(run: Run): Promise<FinalMetrics> {
  const names = run.classes.map((item) => item.name);
  const data = await run.phase('prepare', async () => ({
    train: await loadExamples(run, 'train'),
    val: await loadExamples(run, 'val'),
  }));
  const session = new Session(run, data.train, data.val, names);
  session.start();
  await run.phase('train', () => session.fit());
  const { best } = run;
  const net = best === null ? session.net : loadNet(run.stored(best)).net;
  return run.phase('evaluate', () => evaluateSplit(run, net, 'val', names));
}

async function loadExamples(run: Run, split: string): Promise<Examples> {
  const side = sideOf(run);
  const inputs: Float32Array[] = [];
  const labels: number[] = [];
  for await (const { sample, picture } of run.pictures(split)) {
    inputs.push(toInput(picture, side));
    labels.push(sample.label);
  }
  return { inputs, labels };
}

/** One training: the net, its optimiser and where it stands. What `state` gives is enough to go on exactly. */
class Session {
  readonly net: Network;
  readonly #run: Run;
  readonly #train: Examples;
  readonly #val: Examples;
  readonly #names: readonly string[];
  readonly #adam: Adam;
  readonly #epochs: number;
  readonly #batch: number;
  readonly #stepsPerEpoch: number;
  readonly #order: Int32Array;
  readonly #began = performance.now();
  #random: Random;
  #orderRandom: readonly number[];
  #step = 0;
  #epoch = 0;
  #position = 0;
  #lossSum = 0;
  #lossCount = 0;
  #sinceBest = 0;
  #earlierSeconds = 0;
  /** Of the last validation. */
  #metrics: Readonly<Record<string, number>> = {};

  constructor(run: Run, train: Examples, val: Examples, names: readonly string[]) {
    this.#run = run;
    this.#train = train;
    this.#val = val;
    this.#names = names;
    this.#epochs = run.number('epochs');
    this.#batch = run.number('batch');
    this.#stepsPerEpoch = Math.max(1, Math.ceil(train.inputs.length / this.#batch));
    this.net = new Network(
      { model: run.model, side: sideOf(run), hidden: run.number('hidden'), classes: names.length },
      run.seed,
    );
    this.#adam = new Adam(this.net.parameters, run.number('weight_decay'));
    this.#random = new Random(run.seed + 1);
    this.#orderRandom = this.#random.state;
    this.#order = new Int32Array(train.inputs.length);
  }

  /** Takes up a checkpoint or initial weights, and says what became of the config. */
  start(): void {
    const run = this.#run;
    const resumed = run.resume();
    const weights = resumed === null ? run.weightsPath() : null;
    if (weights !== null) this.net.load(readInitialWeights(weights));
    if (resumed !== null) {
      this.net.load(readTensors(resumed.file('weights.safetensors'), resumed.id));
      const progress = parseProgress(resumed.file('state.json'));
      this.#adam.load(readTensors(resumed.file('optimiser.safetensors'), resumed.id), progress.updates);
      this.#restore(progress);
    }
    const { side, hidden } = this.net.shape;
    const own =
      run.numberOrNull('image_size') === null ? { source: 'auto' as const, note: `The own size of ${run.model}.` } : {};
    run.effective('epochs', this.#epochs, { target: 'session.epochs' });
    run.effective('batch', this.#batch, { target: 'session.batch' });
    run.effective('image_size', side, { target: 'net.side', ...own });
    run.effective('learning_rate', this.#rate(0), { target: 'adam.rate at step 0' });
    run.effective('weight_decay', this.#adam.weightDecay, { target: 'adam.weightDecay' });
    run.effective('hidden', hidden, { target: 'net.hidden' });
    for (const key of ['seed', 'patience', 'eval_metric', 'max_minutes', 'augment_shift', 'steps_per_second'])
      run.effective(key, run.config[key]);
    run.saveOnStop(() => (this.#step === 0 ? null : this.#state()));
  }

  #restore(progress: Progress): void {
    this.#step = progress.step;
    this.#epoch = progress.epoch;
    this.#position = progress.position;
    this.#random = Random.restore(progress.random);
    this.#orderRandom = progress.orderRandom;
    this.#lossSum = progress.lossSum;
    this.#lossCount = progress.lossCount;
    this.#sinceBest = progress.sinceBest;
    this.#earlierSeconds = progress.seconds;
  }

  async fit(): Promise<void> {
    const patience = this.#run.number('patience');
    const minutes = this.#run.numberOrNull('max_minutes') ?? Infinity;
    while (this.#epoch < this.#epochs) {
      await this.#runEpoch();
      await this.#closeEpoch();
      if (patience > 0 && this.#sinceBest >= patience) return;
      if (this.#seconds() >= minutes * 60) return;
    }
  }

  async #runEpoch(): Promise<void> {
    const run = this.#run;
    if (this.#position === 0) this.#orderRandom = this.#random.state;
    for (let i = 0; i < this.#order.length; i += 1) this.#order[i] = i;
    const ordering = Random.restore(this.#orderRandom);
    ordering.shuffle(this.#order);
    if (this.#position === 0) this.#random = ordering;
    const pace = run.numberOrNull('steps_per_second');
    const began = performance.now();
    let pictures = 0;
    while (this.#position < this.#stepsPerEpoch) {
      const due = performance.now() + (pace === null ? 0 : 1000 / pace);
      pictures += this.#trainBatch();
      const done = this.#epoch + this.#position / this.#stepsPerEpoch;
      const left =
        ((performance.now() - began) / 1000 / Math.max(1, pictures)) *
        this.#train.inputs.length *
        (this.#epochs - done);
      run.progress('epoch', done, this.#epochs, Math.round(left));
      await run.pause(due - performance.now());
      await run.safePoint();
    }
    if (pictures === 0) return;
    const speed = pictures / Math.max(0.001, (performance.now() - began) / 1000);
    run.metric('train', { images_per_second: speed }, { step: this.#step, epoch: this.#epoch + 1 });
  }

  #trainBatch(): number {
    const run = this.#run;
    const { side, classes } = this.net.shape;
    const shift = run.number('augment_shift');
    const from = this.#position * this.#batch;
    const chosen = this.#order.subarray(from, from + this.#batch);
    const moved = new Float32Array(side * side);
    const gradient = new Float32Array(classes);
    for (const index of chosen) {
      const original = this.#train.inputs[index] ?? moved;
      const label = this.#train.labels[index] ?? 0;
      const draw = (): number => this.#random.below(2 * shift + 1) - shift;
      const chances = softmax(
        this.net.forward(shift === 0 ? original : shifted(original, side, draw(), draw(), moved)),
      );
      this.#lossSum -= Math.log(Math.max(1e-12, chances[label] ?? 0));
      for (let c = 0; c < classes; c += 1) gradient[c] = (chances[c] ?? 0) - (c === label ? 1 : 0);
      this.net.backward(gradient);
    }
    const rate = this.#rate(this.#step);
    this.#adam.step(rate, 1 / chosen.length);
    this.#lossCount += chosen.length;
    this.#step += 1;
    this.#position += 1;
    if (this.#step % REPORT_EVERY === 0 || this.#step === 1 || this.#position === this.#stepsPerEpoch)
      this.#reportLoss(rate);
    return chosen.length;
  }

  #reportLoss(rate: number): void {
    const loss = this.#lossSum / this.#lossCount;
    const epoch = this.#epoch + this.#position / this.#stepsPerEpoch;
    this.#run.metric('train', { loss, learning_rate: rate }, { step: this.#step, epoch });
    if (!Number.isFinite(loss))
      throw new Diverged('The loss is no longer a number.', { hint: 'Lower learning_rate to a tenth.' });
    this.#lossSum = 0;
    this.#lossCount = 0;
  }

  /** Half a cosine from the peak to a twentieth of it. */
  #rate(step: number): number {
    const part = Math.min(1, step / Math.max(1, this.#epochs * this.#stepsPerEpoch));
    return this.#run.number('learning_rate') * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + Math.cos(Math.PI * part)));
  }

  async #closeEpoch(): Promise<void> {
    const run = this.#run;
    const { scores, loss } = await judge(run, this.net, this.#val, this.#names);
    const values: Record<string, number> = { ...scores.metrics, loss };
    this.#metrics = values;
    this.#epoch += 1;
    this.#position = 0;
    run.metric('val', values, { step: this.#step, epoch: this.#epoch });
    const value = values[run.decides.name] ?? scores.metrics.top1;
    const best = run.best?.metric?.value;
    const better = best === undefined || (run.decides.minimise ? value < best : value > best);
    this.#sinceBest = better ? 0 : this.#sinceBest + 1;
    this.#orderRandom = this.#random.state;
    run.checkpoint({ ...this.#state(), metric: value });
  }

  #seconds(): number {
    return this.#earlierSeconds + (performance.now() - this.#began) / 1000;
  }

  #state(): CheckpointState {
    const { job } = this.#run;
    const progress: Progress = {
      ...{ step: this.#step, epoch: this.#epoch, position: this.#position, updates: this.#adam.count },
      ...{
        random: this.#random.state,
        orderRandom: this.#orderRandom,
        lossSum: this.#lossSum,
        lossCount: this.#lossCount,
      },
      ...{ sinceBest: this.#sinceBest, seconds: this.#seconds() },
    };
    return {
      step: this.#step,
      epoch: this.#epoch + this.#position / this.#stepsPerEpoch,
      files: {
        ...netFiles(this.net, this.#names, {
          datasetDigest: job.dataset?.digest ?? null,
          configDigest: job.configDigest,
          metrics: this.#metrics,
        }),
        'optimiser.safetensors': writeSafetensors(this.#adam.tensors()),
        'state.json': JSON.stringify(progress),
      },
    };
  }
}
