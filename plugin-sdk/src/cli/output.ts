import type { Problem } from '../problem.ts';

/** What a verb says: lines for people on a terminal, one JSON line per result with `--json`. */
export interface Output {
  readonly json: boolean;
  readonly live: boolean;
  /** For people only. */
  line(text: string): void;
  /** The result: printed as JSON with `--json`. */
  result(value: unknown): void;
  /** Replaces what the last call drew; nothing when this is not a terminal. */
  redraw(lines: readonly string[]): void;
}

export function openOutput(json: boolean, stream: NodeJS.WriteStream): Output {
  let drawn = 0;
  const live = stream.isTTY === true && !json;
  return {
    json,
    live,
    line(text) {
      if (json) return;
      drawn = 0;
      stream.write(`${text}\n`);
    },
    result(value) {
      if (json) stream.write(`${JSON.stringify(value)}\n`);
    },
    redraw(lines) {
      if (!live) return;
      if (drawn > 0) stream.write(`\u001b[${drawn}A\u001b[0J`);
      stream.write(`${lines.join('\n')}\n`);
      drawn = lines.length;
    },
  };
}

/** A failure in words: what, where, how to mend. */
export function explain(problem: Problem): string[] {
  const errors = (problem.info.errors ?? []).map((error) => {
    const where = [error.file, error.line].filter((part) => part !== undefined).join(':') || error.pointer || '';
    return `  ${where === '' ? '' : `${where}  `}${error.message}${error.fix === undefined || error.fix === problem.info.fix ? '' : `\n      → ${error.fix}`}`;
  });
  return [
    problem.message,
    ...errors,
    ...(problem.info.fix === undefined || problem.info.fix === '' ? [] : [`→ ${problem.info.fix}`]),
  ];
}

/** Exit code by kind of failure (sysexits where they fit). */
export function exitCodeOf(problem: Problem): number {
  if (problem.code === 'unavailable') return 69;
  if (problem.code === 'config-invalid') return 78;
  if (problem.code === 'not-authenticated' || problem.code === 'token-expired' || problem.code === 'forbidden')
    return 77;
  if (problem.code === 'dataset-invalid') return 65;
  if (problem.code === 'bad-request') return 64;
  return 1;
}
