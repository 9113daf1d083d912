import { EXIT } from '@trainyard/plugin-sdk';
import { entryOf, readCheckpointIndex } from '../../trial/checkpoint-file.ts';
import { trainerEvents } from '../../trial/event-file.ts';
import { exitCodeOf, exitText, lastWords, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';
import { digestProblem } from './checkpoint-index.ts';

const ID = 'stop-saves';
const FIX =
  'Handle SIGTERM: finish the batch, write a resumable checkpoint, emit "stopped", exit with 75, all within the grace time. With the SDK: call the safe point once per batch.';

/** SIGTERM in the middle of a training leaves a checkpoint to go on from. */
export async function checkStop(trials: Trials): Promise<CheckResult> {
  if (trials.subject.manifest.capabilities.stop === 'none') return [];
  if (trials.subject.endless === null)
    return { notRun: 'the settings have no "epochs", so no training is long enough' };
  const trial = trials.get('long');
  if (trial === null) return { notRun: trials.cutShort ?? 'no longer training ran' };
  if (!trial.stop.asked) {
    const message = `A training of ${String(trials.subject.endless['epochs'])} epochs ended with ${exitText(trial.exit)} before it could be stopped.`;
    return [findingOf(ID, message, 'Train for as many epochs as the settings say.', { evidence: lastWords(trial) })];
  }
  if (trial.exit.evidence.killedByUs) {
    const message = `The training did not end within ${trials.grace} seconds after SIGTERM and had to be killed.`;
    return [findingOf(ID, message, FIX, { evidence: `SIGKILL after SIGTERM and ${trials.grace} s` })];
  }
  if (exitCodeOf(trial) !== EXIT.stopped) {
    const message = `After SIGTERM the training ended with ${exitText(trial.exit)} instead of exit code 75.`;
    return [findingOf(ID, message, FIX, { evidence: lastWords(trial) })];
  }
  // Stopped because we did not want to wait longer: there was nothing to save, and progress-seen tells of the silence.
  if (!trial.stop.sawTraining) return { notRun: 'it had not begun to train when it was stopped' };
  const stopped = trainerEvents(trial.events).find((event) => event.type === 'stopped');
  if (stopped === undefined) return [findingOf(ID, 'After SIGTERM there is no "stopped" event.', FIX)];
  const index = await readCheckpointIndex(trial.jobFolder);
  if ('problem' in index) return [findingOf(ID, `After SIGTERM: ${index.problem}`, FIX)];
  const entry = entryOf(index, stopped.checkpoint);
  if (entry === null) return [findingOf(ID, 'The "stopped" event names no checkpoint that the index has.', FIX)];
  if (!entry.resumable) return [findingOf(ID, `The checkpoint ${entry.id} of the stop is not resumable.`, FIX)];
  const wrong = await digestProblem(trial.jobFolder, entry);
  return wrong === null ? [] : [findingOf(ID, wrong, FIX)];
}
