import type { ExportMetadata } from '@trainyard/plugin-sdk/export';

type Output = ExportMetadata['outputs'][number];

/** Which semantics (contract.md §8.4) answer which task. */
const OF_TASK: Readonly<Record<string, readonly string[]>> = {
  classify: ['logits', 'probs'],
  detect: ['yolo-raw', 'yolo-end2end', 'detr', 'detr-concat'],
  segment: ['yolo-seg-raw', 'yolo-end2end', 'masks-queries', 'prototypes'],
  pose: ['yolo-pose-raw', 'yolo-end2end'],
  obb: ['yolo-obb-raw', 'yolo-end2end'],
  semantic: ['semantic-logits', 'masks-queries'],
};

/** Semantics of the author's own: no wrapper decodes them, nobody else can check them. */
export function ownSemantics({ outputs }: ExportMetadata): string | null {
  return outputs.find(({ semantics }) => semantics.startsWith('x-'))?.semantics ?? null;
}

/** Pure: one sentence when an output cannot mean what metadata.json says; null when it can. Sides that are open are not judged. */
export function semanticsProblem({ model, outputs, labels }: ExportMetadata): string | null {
  const allowed = OF_TASK[model.task];
  if (allowed === undefined) return `The task ${model.task} is not known.`;
  for (const output of outputs) {
    if (!allowed.includes(output.semantics))
      return `The output "${output.name}" has the semantics ${output.semantics}, which is no answer of the task ${model.task}.`;
    const problem = sidesProblem(output, labels.length);
    if (problem !== null) return problem;
  }
  return null;
}

function sidesProblem(output: Output, classes: number): string | null {
  const { semantics, shape } = output;
  const needs = rulesOf(output, classes);
  if (needs === null) return null;
  const { rank, axis, least, most } = needs;
  if (shape.length !== rank) return wrong(output, `${semantics} has ${rank} sides`);
  const side = shape.at(axis);
  if (typeof side !== 'number' || (side >= least && side <= most)) return null;
  const wanted = least === most ? String(least) : `${least} or more`;
  return wrong(output, `${semantics} of ${classes} classes has ${wanted} at side ${axis < 0 ? rank + axis : axis}`);
}

interface Rule {
  readonly rank: number;
  readonly axis: number;
  readonly least: number;
  readonly most: number;
}
function exactly(rank: number, axis: number, side: number): Rule {
  return { rank, axis, least: side, most: side };
}

/** Null: the tensor is one of several of its semantics and has no classes of its own. */
function rulesOf({ semantics, name, background }: Output, classes: number): Rule | null {
  if (semantics === 'logits' || semantics === 'probs') return exactly(2, -1, classes);
  if (semantics === 'yolo-raw') return exactly(3, 1, 4 + classes);
  if (semantics === 'yolo-obb-raw') return exactly(3, 1, 5 + classes);
  if (semantics === 'yolo-pose-raw') return { rank: 3, axis: 1, least: 4 + classes + 2, most: Infinity };
  if (semantics === 'detr-concat') return exactly(3, -1, 4 + classes);
  if (semantics === 'semantic-logits') return exactly(4, 1, classes);
  if (semantics === 'detr')
    return /box/.test(name) ? exactly(3, -1, 4) : exactly(3, -1, classes + (background === true ? 1 : 0));
  return null;
}

function wrong({ name, shape }: Output, wanted: string): string {
  return `The output "${name}" is ${shape.join('×')}, but ${wanted}.`;
}
