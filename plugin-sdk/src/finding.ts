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

/** What was found out about one task with its probe model. */
export interface TaskProof {
  readonly task: string;
  readonly model: string;
  readonly level: Level;
  /** Of the acceptance run: as the trainer reported it, as recomputed from its predictions, and the floor it had to reach. */
  readonly primary?: {
    readonly name: string;
    readonly reported: number | null;
    readonly recomputed: number | null;
    readonly floor: number;
  };
  readonly seconds: number;
  /** Why the level is no higher. */
  readonly reason?: string;
}

/** A claim of the manifest: only said, shown to be true, or shown to be false. */
export type ClaimState = 'declared' | 'proven' | 'refuted';

export interface ClaimProof {
  readonly claim: 'export' | 'resume' | 'stop' | 'determinism' | 'device';
  /** What is claimed: an export format, a granularity of resume, a device. */
  readonly value: string;
  readonly task?: string;
  readonly precision?: string;
  readonly state: ClaimState;
  /** The runtime that checked it, with its version. */
  readonly runtime?: string;
  /** Named figures: `maxAbs`, `tolerance`, `agreement`, `metricDrop`, `milliseconds`, `bytes`. */
  readonly figures?: Readonly<Record<string, number>>;
  /** Why it could not be checked, or how it failed. */
  readonly reason?: string;
  readonly seconds?: number;
}

/** A fact about one package digest on one platform. */
export interface Report {
  readonly verdict: Verdict;
  readonly level: Level;
  /** Id of the policy document that judged: `local` or `standard`. */
  readonly policy: string;
  readonly platform: string;
  readonly packageDigest: string;
  readonly stages: readonly StageResult[];
  readonly findings: readonly Finding[];
  /** Absent in reports made before acceptance was measured. */
  readonly tasks?: readonly TaskProof[];
  readonly claims?: readonly ClaimProof[];
}
