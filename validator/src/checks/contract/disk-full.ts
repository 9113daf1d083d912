import { EXIT, type Finding } from '@trainyard/plugin-sdk';
import { trainerEvents } from '../../trial/event-file.ts';
import { entryOf, readCheckpointIndex } from '../../trial/checkpoint-file.ts';
import { exitCodeOf, exitText, lastWords, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';
import { digestProblem } from './checkpoint-index.ts';

const ID = 'disk-full';
const FIX =
  'Write checkpoints aside, replace the index last, and end with 74 (io.disk_full) when the disk is full; what the index named before stays.';
/** What was on the small disk. */
const LEFT = 'checkpoints-left';

/** A full disk in the middle of a checkpoint ends with 74, and the previous checkpoint is as good as before. */
export async function checkFullDisk(trials: Trials): Promise<CheckResult> {
  if (!trials.first) return [];
  const trial = trials.get('disk-full');
  if (trial === null) return { notRun: trials.cutShort ?? 'no training ran on a small disk' };
  if (trial.noDisk !== null) return { notRun: `there was no small disk: ${trial.noDisk}` };
  const findings: Finding[] = [];
  if (exitCodeOf(trial) !== EXIT.io) {
    const message = `A training whose checkpoints meet the end of the disk ended with ${exitText(trial.exit)} instead of 74.`;
    findings.push(findingOf(ID, message, FIX, { evidence: lastWords(trial, 10) }));
  } else {
    const failed = trainerEvents(trial.events).find((event) => event.type === 'failed');
    if (failed !== undefined && failed.code !== 'io.disk_full')
      findings.push(
        findingOf(ID, `A full disk is reported as "${failed.code}", not as "io.disk_full".`, FIX, {
          severity: 'warning',
        }),
      );
  }
  const index = await readCheckpointIndex(trial.jobFolder, LEFT);
  if ('problem' in index) return [...findings, findingOf(ID, `After a full disk: ${index.problem}`, FIX)];
  const entry = entryOf(index, index.last);
  if (entry === null) return findings;
  const wrong = await digestProblem(trial.jobFolder, {
    ...entry,
    path: entry.path.replace('checkpoints/', `${LEFT}/`),
  });
  if (wrong !== null) findings.push(findingOf(ID, `After a full disk: ${wrong}`, FIX));
  return findings;
}
