import type { Finding, Severity, Stage, Where } from '@trainyard/plugin-sdk';
import type { Trials } from '../trial/trials.ts';

/** What an error of a check makes of the verdict. */
export type Act = 'rejected' | 'quarantined' | 'inconclusive' | 'none';

/** One row of the table of checks. The id is also the code of its findings. */
export interface Check {
  readonly id: string;
  readonly stage: Stage;
  readonly severity: Severity;
  readonly act: Act;
  /** Its errors decide the verdict. */
  readonly enforced: boolean;
  /** Its absence decides the verdict. */
  readonly required: boolean;
  /** Where the check is written, from the root of the repository. */
  readonly file: string;
  /** What it looks at, for docs/checks.md. */
  readonly looks: string;
  /** How findings of it are mended, for docs/checks.md. */
  readonly fix: string;
}

/** A check that could not look: never the same as a pass. */
export interface NotRun {
  readonly notRun: string;
}
export type CheckResult = readonly Finding[] | NotRun;

/** A check of the stage contract. Pure but for reading the folders that the trials left. */
export type ContractCheck = (trials: Trials) => CheckResult | Promise<CheckResult>;

export function isNotRun(result: CheckResult): result is NotRun {
  return 'notRun' in result;
}

export interface FindingMore {
  readonly where?: Where;
  readonly evidence?: string;
  readonly severity?: Severity;
}

const MOST_EVIDENCE = 2000;

export function findingOf(check: string, message: string, fix: string, more: FindingMore = {}): Finding {
  const evidence = more.evidence?.trim().slice(0, MOST_EVIDENCE) ?? '';
  return {
    check,
    severity: more.severity ?? 'error',
    ...(more.where === undefined ? {} : { where: more.where }),
    message,
    ...(evidence === '' ? {} : { evidence }),
    fix,
  };
}
