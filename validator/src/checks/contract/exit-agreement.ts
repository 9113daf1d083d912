import { EXIT, failurePrefixOf, type Finding, type TrainerEvent } from '@trainyard/plugin-sdk';
import { trainerEvents } from '../../trial/event-file.ts';
import { exitCodeOf, exitText, lastWords, wasCutOff, type Trial, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'exit-agreement';
const FIX =
  'End with the exit code that belongs to the last event: finished 0, stopped 75, failed the code of its prefix (dataset 65, input 66, unsupported 69, internal 70, resource 71, output 73, io 74, diverged 76, verification 77, config 78).';

/** The exit code says the same as the terminal event. */
export function checkExitAgreement(trials: Trials): CheckResult {
  const judged = trials.all.filter((trial) => trial.verb !== 'describe' && !wasCutOff(trial));
  if (!judged.some((trial) => trial.verb === 'train'))
    return { notRun: trials.cutShort ?? 'no training ran to its end' };
  return judged.flatMap(judge);
}

function judge(trial: Trial): Finding[] {
  const terminal = trainerEvents(trial.events).findLast(
    (event) => event.type === 'finished' || event.type === 'stopped' || event.type === 'failed',
  );
  const code = exitCodeOf(trial);
  // Without a terminal event only a success can be a lie here; event-grammar reports that it is missing.
  if (terminal === undefined) {
    if (code !== EXIT.finished || trial.verb === 'validate') return [];
    return [report(trial, 'exit code 0 without a "finished" event')];
  }
  const wanted = wantedOf(terminal);
  if (code !== null && wanted(code)) return [];
  const said = terminal.type === 'failed' ? `"failed" (${terminal.code})` : `"${terminal.type}"`;
  return [report(trial, `${exitText(trial.exit)} after the event ${said}`)];
}

function wantedOf(terminal: TrainerEvent): (code: number) => boolean {
  if (terminal.type === 'finished') return (code) => code === EXIT.finished;
  if (terminal.type === 'stopped') return (code) => code === EXIT.stopped;
  if (terminal.type !== 'failed') return () => false;
  const failure = terminal.code;
  return (code) => {
    const prefix = failurePrefixOf(code);
    return prefix !== null && failure.startsWith(`${prefix}.`);
  };
}

function report(trial: Trial, what: string): Finding {
  return findingOf(ID, `The run "${trial.name}" ended with ${what}.`, FIX, { evidence: lastWords(trial) });
}
