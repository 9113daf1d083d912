/** What a check saw. Order in a report is the order of stages and checks. */

export type Severity = 'error' | 'warning' | 'recommendation';
export const STAGES = [
  'package',
  'manifest',
  'config',
  'provenance',
  'image',
  'scan',
  'contract',
  'acceptance',
  'export',
] as const;
export type Stage = (typeof STAGES)[number];
export type StageState = 'waiting' | 'running' | 'passed' | 'failed' | 'skipped' | 'error';

export interface Where {
  readonly file?: string;
  readonly line?: number;
  /** JSON pointer into the file. */
  readonly pointer?: string;
  /** Sequence number of an event. */
  readonly event?: number;
}

export interface Finding {
  readonly check: string;
  readonly severity: Severity;
  readonly where?: Where;
  /** One plain sentence: what is wrong. */
  readonly message: string;
  /** What was seen (a line, a value, an exit code). */
  readonly evidence?: string;
  /** How to mend it. Never empty. */
  readonly fix: string;
}

export interface StageResult {
  readonly stage: Stage;
  readonly state: StageState;
  readonly seconds: number;
  /** Why it was skipped or could not run. */
  readonly reason?: string;
  /** Ids of the checks that ran. */
  readonly checks: readonly string[];
}

export type Verdict = 'passed' | 'rejected' | 'quarantined' | 'inconclusive';
export type Level = 'none' | 'L0' | 'L1' | 'L2' | 'L3';

export interface Report {
  readonly verdict: Verdict;
  readonly level: Level;
  /** Id of the policy document that judged: `local` or `standard`. */
  readonly policy: string;
  readonly platform: string;
  readonly packageDigest: string;
  readonly stages: readonly StageResult[];
  readonly findings: readonly Finding[];
}
