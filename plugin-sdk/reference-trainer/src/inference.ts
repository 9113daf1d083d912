import type { Network } from './network.ts';
import { softmax } from './network.ts';
import { rank, scoreClassification, type ClassScore, type Run, type Scores } from './trainer_sdk/index.ts';

export interface Examples {
  readonly inputs: readonly Float32Array[];
  readonly labels: readonly number[];
}

export interface Judged {
  readonly scores: Scores;
  readonly loss: number;
  readonly ranked: readonly (readonly ClassScore[])[];
}

/** Scores a net on examples; a stop gets through between pictures. */
export async function judge(run: Run, net: Network, examples: Examples, names: readonly string[]): Promise<Judged> {
  const ranked: ClassScore[][] = [];
  let loss = 0;
  for (const [at, input] of examples.inputs.entries()) {
    if (at % 32 === 0) await run.safePoint();
    const chances = softmax(net.forward(input));
    loss -= Math.log(Math.max(1e-12, chances[examples.labels[at] ?? 0] ?? 0));
    ranked.push(rank(chances));
  }
  return {
    scores: scoreClassification(examples.labels, ranked, names),
    loss: loss / Math.max(1, ranked.length),
    ranked,
  };
}
