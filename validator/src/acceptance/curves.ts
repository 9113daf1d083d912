import { trainerEvents } from '../trial/event-file.ts';
import type { Trial } from '../trial/trials.ts';

/** What the events of a training tell about what it did. */
export interface Curve {
  /** Train losses in the order of their steps. */
  readonly losses: readonly { readonly step: number; readonly value: number }[];
  /** The highest learning rate: a warm-up begins at 0. */
  readonly peakRate: number | null;
  readonly lastStep: number;
  readonly lastEpoch: number;
  /** Last step of whole epochs ÷ epochs; null when no metric names an epoch. */
  readonly stepsPerEpoch: number | null;
  /** Values of val metrics in order, as text: equal for equal trainings. */
  readonly validation: readonly string[];
}

/** Names that say how fast or how long and not what was learnt. */
const TIMINGS = /second|time|memory/;

export function curveOf(trial: Trial): Curve {
  const losses: { step: number; value: number }[] = [];
  const validation: string[] = [];
  let [peakRate, lastStep, lastEpoch]: [number | null, number, number] = [null, 0, 0];
  let whole: { step: number; epoch: number } | null = null;
  for (const event of trainerEvents(trial.events)) {
    if (event.type !== 'metric') continue;
    const { step, epoch, values, split } = event;
    lastStep = Math.max(lastStep, step);
    if (epoch !== undefined && epoch !== null) {
      lastEpoch = Math.max(lastEpoch, epoch);
      if (epoch > 0 && Number.isInteger(epoch)) whole = { step, epoch };
    }
    const { loss, learning_rate: rate } = values;
    if (split === 'train' && typeof loss === 'number') losses.push({ step, value: loss });
    if (typeof rate === 'number') peakRate = Math.max(peakRate ?? rate, rate);
    if (split === 'val')
      validation.push(
        JSON.stringify(
          Object.entries(values)
            .filter(([name]) => !TIMINGS.test(name))
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        ),
      );
  }
  const stepsPerEpoch = whole === null || whole.step === 0 ? null : whole.step / whole.epoch;
  return { losses, peakRate, lastStep, lastEpoch, stepsPerEpoch, validation };
}

/** The largest difference of the losses of two trainings, relative to the losses; null when there is nothing to compare. */
export function lossDifference(a: Curve, b: Curve): number | null {
  const other = lastOfStep(b.losses);
  let most: number | null = null;
  for (const [step, value] of lastOfStep(a.losses)) {
    const twin = other.get(step);
    if (twin === undefined) continue;
    most = Math.max(most ?? 0, Math.abs(value - twin) / Math.max(1e-6, Math.abs(value)));
  }
  return most;
}

/** A step may tell its own loss and then that of the epoch it ends; the first of them may have been coalesced away. */
function lastOfStep(losses: Curve['losses']): ReadonlyMap<number, number> {
  return new Map(losses.map(({ step, value }) => [step, value]));
}
