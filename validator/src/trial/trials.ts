import type { Verb } from '@trainyard/plugin-sdk';
import type { Exit } from '@trainyard/runner/backends';
import type { EventLine } from './event-file.ts';
import type { OtherSettings } from '../contract/other-settings.ts';
import type { WrongSetting } from '../contract/wrong-settings.ts';
import type { DatasetFault } from '../data/dataset-fault.ts';
import type { TestData } from '../data/test-data.ts';
import type { Subject } from './subject.ts';

/** One run of the trainer, ended. Its job folder is there until the report is done. */
export interface Trial {
  readonly name: string;
  readonly verb: Verb;
  readonly seconds: number;
  readonly maxSeconds: number;
  readonly maxDiskBytes: number;
  readonly exit: Exit;
  readonly events: readonly EventLine[];
  /** Why the event file was not read: absent, a link, too large. Null when it was. */
  readonly eventsProblem: 'absent' | 'unreadable' | 'too-large' | null;
  readonly stdout: string;
  readonly stderrTail: string;
  readonly jobFolder: string;
  /** We asked it to stop, after it had shown a sign of training or after waiting long enough. */
  readonly stop: { readonly asked: boolean; readonly sawTraining: boolean; readonly seconds: number | null };
  /** Null when nobody watched. */
  readonly observed: Observation | null;
  /** Why there was no small disk although one was wanted. */
  readonly noDisk: string | null;
  /** Most memory of all its processes together; null where this cannot be seen. */
  readonly peakBytes: number | null;
}

/** What was seen of the network of a trial. */
export interface Observation {
  /** Names and addresses that it tried to reach. */
  readonly attempts: readonly string[];
  /** Why nothing could be seen; null when it could. */
  readonly unavailable: string | null;
}

/** Everything that was tried with one package for one task. Checks ask for trials by name; one that never ran is null. */
export interface Trials {
  readonly subject: Subject;
  readonly all: readonly Trial[];
  get(name: string): Trial | null;
  /** Why trials are missing; null when all ran. */
  readonly cutShort: string | null;
  readonly wrongSettings: readonly WrongSetting[];
  readonly datasetFaults: readonly DatasetFault[];
  /** What the trainer was given to work on. */
  readonly data: TestData;
  /** Settings that differ from the defaults, as they were tried. */
  readonly otherSettings: OtherSettings;
  /** Trials that say nothing about the task were made for the first task only. */
  readonly first: boolean;
  /** Files outside checkpoints/ and output/ that changed while the trainer ran, by their path from the package, the environment or the job folder. */
  readonly strayWrites: readonly string[];
  readonly grace: number;
}

/** What a run ended with, for a sentence. */
export function exitText(exit: Exit): string {
  if (exit.evidence.startFailed !== undefined) return 'no start at all';
  if (exit.kind === 'exited') return `exit code ${exit.code}`;
  return exit.kind === 'signal' ? `the signal ${exit.signal}` : 'no trace of how';
}

export function exitCodeOf(trial: Trial): number | null {
  return trial.exit.kind === 'exited' && trial.exit.evidence.startFailed === undefined ? trial.exit.code : null;
}

/** The platform ended it: what it would have said is unknown. */
export function wasCutOff({ exit }: Trial): boolean {
  const seen = exit.evidence;
  return seen.killedByUs || seen.timedOut || seen.outOfMemory || seen.diskQuota || seen.tooManyProcesses || seen.silent;
}

/** Last lines of stderr without the folders of this machine, so that the same package gives the same report. */
export function lastWords(trial: Trial, lines = 5): string {
  const text = trial.stderrTail.split('\n').slice(-lines).join('\n');
  return withoutFolders(text, trial.jobFolder);
}

export function withoutFolders(text: string, jobFolder: string): string {
  return text.replaceAll(jobFolder, '{job}');
}
