import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Picture } from './png.ts';
import type { ClassScore, Scores } from './scores.ts';

/** Milliseconds of the three parts of one prediction. */
export interface Timing {
  readonly pre: number;
  readonly infer: number;
  readonly post: number;
}

export interface ReportHead {
  readonly task: string;
  readonly split: string;
  readonly images: number;
  readonly primary: { readonly name: string; readonly direction: 'max' | 'min' };
}

/** predictions.jsonl and metrics.json. Lines keep the order of the calls. */
export class ResultFiles {
  readonly #lines: string[] = [];

  add(image: string, picture: Picture, classes: readonly ClassScore[], ms: Timing): void {
    const shown = classes.map((item) => ({ class: item.class, score: Math.min(1, Math.max(0, item.score)) }));
    this.#lines.push(JSON.stringify({ image, width: picture.width, height: picture.height, ms, classes: shown }));
  }

  writePredictions(folder: string): void {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'predictions.jsonl'), this.#lines.map((line) => `${line}\n`).join(''));
    this.#lines.length = 0;
  }

  writeReport(folder: string, head: ReportHead, scores: Scores, more: Readonly<Record<string, number>>): void {
    const metrics: Record<string, number> = { ...scores.metrics, ...more };
    const labels = scores.perClass.map((item) => item.name);
    const document = {
      ...{ schema: 'metrics@1', ...head, primary: { ...head.primary, value: metrics[head.primary.name] ?? null } },
      ...{ metrics, perClass: scores.perClass },
      ...(labels.length <= 201 ? { confusion: { labels, matrix: scores.confusion } } : {}),
    };
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'metrics.json'), `${JSON.stringify(document, null, 1)}\n`);
  }
}
