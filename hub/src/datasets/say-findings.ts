import { errorsFromFindings, Problem } from '@trainyard/plugin-sdk';
import type { Inspected, WorkResult } from './work/work-request.ts';

export interface Warning {
  readonly code: string;
  readonly message: string;
}
const MOST = 200;

/** The inspected upload, or one Problem with every reason against it. */
export function refuseInspected(found: WorkResult): Inspected {
  if (found.kind === 'unknown')
    throw new Problem('dataset-invalid', {
      detail: `No format was recognised: ${found.because}.`,
      fix: found.fix,
      errors: [{ code: 'dataset-file-invalid', message: found.because, fix: found.fix }],
    });
  if (found.kind === 'failed')
    throw new Problem('dataset-invalid', {
      detail: found.message,
      fix: found.finding?.fix ?? 'Check the files and upload them again.',
      ...(found.finding === null ? {} : { errors: errorsFromFindings([found.finding]) }),
    });
  if (found.kind !== 'inspect') throw new Error(`unexpected result ${found.kind}`);
  const errors = errorsFromFindings(found.findings);
  const first = errors[0];
  if (first === undefined) return found;
  const others = errors.length - 1 + found.more;
  throw new Problem('dataset-invalid', {
    detail: others === 0 ? first.message : `${first.message} (and ${others} more)`,
    fix: first.fix ?? '',
    errors: errors.slice(0, MOST),
  });
}

/** What a person should know about a dataset that was taken. */
export function warningsOf(inspected: Inspected, ignored: readonly string[]): Warning[] {
  const left = [...ignored, ...inspected.ignored];
  const turned = inspected.turned[0];
  return [
    ...inspected.findings
      .filter(({ severity }) => severity !== 'error')
      .map(({ check, message }) => ({ code: check, message })),
    ...(turned === undefined
      ? []
      : [
          {
            code: 'picture-turned',
            message: `${inspected.turned.length} pictures carry a mark that asks viewers to turn them (EXIF), such as ${turned}. Frameworks disagree whether to obey; save them upright if labels look shifted.`,
          },
        ]),
    ...(left.length === 0
      ? []
      : [
          {
            code: 'files-ignored',
            message: `${left.length} files are no part of it and were left out, such as ${left[0]}.`,
          },
        ]),
  ].slice(0, MOST);
}
