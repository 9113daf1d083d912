import type { Finding } from '@trainyard/plugin-sdk';
import { entryOf, readCheckpointIndex } from '../../trial/checkpoint-file.ts';
import { trainerEvents } from '../../trial/event-file.ts';
import { exitCodeOf, exitText, lastWords, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'resume-continues';
const FIX =
  'Restore model, optimiser and step count from job.resume, name it in "resumedFrom" of "started", and count steps on.';

/** A resume goes on with the step count of the checkpoint. */
export async function checkResume(trials: Trials): Promise<CheckResult> {
  const { capabilities } = trials.subject.manifest;
  if (capabilities.resume === 'none' || capabilities.stop === 'none') return [];
  const stopped = trials.get('long');
  const trial = trials.get('resumed');
  if (stopped === null || trial === null) return { notRun: trials.cutShort ?? 'there was no checkpoint to go on from' };
  const events = trainerEvents(trial.events);
  const index = await readCheckpointIndex(stopped.jobFolder);
  const from = 'problem' in index ? null : entryOf(index, index.last);
  if (from === null) return { notRun: 'there was no checkpoint to go on from' };
  const code = exitCodeOf(trial);
  if (code !== 75 && code !== 0) {
    const message = `A resume from ${from.id} ended with ${exitText(trial.exit)}.`;
    return [findingOf(ID, message, FIX, { evidence: lastWords(trial, 15) })];
  }
  const findings: Finding[] = [];
  const started = events.find((event) => event.type === 'started');
  if (started?.resumedFrom?.step !== from.step)
    findings.push(findingOf(ID, `The "started" event of a resume does not say "resumedFrom" step ${from.step}.`, FIX));
  const step = events.find((event) => event.type === 'metric')?.step;
  if (step !== undefined && step < from.step)
    findings.push(
      findingOf(ID, `A resume from step ${from.step} reported step ${step}: it began anew.`, FIX, {
        evidence: `"step": ${step}`,
      }),
    );
  return findings;
}
