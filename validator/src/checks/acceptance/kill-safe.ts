import type { Finding } from '@trainyard/plugin-sdk';
import type { AcceptanceTrials } from '../../acceptance/acceptance-trials.ts';
import { entryOf, readCheckpointIndex } from '../../trial/checkpoint-file.ts';
import { exitCodeOf, exitText, lastWords } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';
import { digestProblem } from '../contract/checkpoint-index.ts';

const ID = 'kill-safe';
const FIX =
  'Write to checkpoints/.tmp-<id>, fsync, rename, and replace the index last in the same way; never write in place.';
const WORDS: Readonly<Record<string, string>> = {
  'killed-writing': 'in the middle of a checkpoint',
  'killed-training': 'in the middle of an epoch',
};

/** A power cut at any moment leaves an index that loads, checkpoints that are whole, and a training that goes on. */
export async function checkKill(trials: AcceptanceTrials): Promise<CheckResult> {
  if (trials.subject.endless === null)
    return { notRun: 'the settings have no "epochs", so no training is long enough' };
  const findings: Finding[] = [];
  let judged = 0;
  for (const [name, when] of Object.entries(WORDS)) {
    const trial = trials.get(name);
    if (trial === null) continue;
    judged += 1;
    const index = await readCheckpointIndex(trial.jobFolder);
    if ('problem' in index) {
      // Before the first checkpoint there is no index, and nothing to lose.
      if (name === 'killed-writing' || !index.problem.includes('not there'))
        findings.push(findingOf(ID, `Killed ${when}: ${index.problem}`, FIX));
      continue;
    }
    for (const id of new Set([index.last, index.best])) {
      const entry = entryOf(index, id);
      if (entry === null) continue;
      const wrong = await digestProblem(trial.jobFolder, entry);
      if (wrong !== null)
        findings.push(
          findingOf(ID, `Killed ${when}: ${wrong}`, FIX, {
            where: { file: 'checkpoints/index.json' },
            evidence: JSON.stringify(entry),
          }),
        );
    }
    const resumed = trials.get(`${name}-resumed`);
    const code = resumed === null ? 0 : exitCodeOf(resumed);
    if (resumed !== null && code !== 75 && code !== 0)
      findings.push(
        findingOf(ID, `Killed ${when}, it could not be resumed: ${exitText(resumed.exit)}.`, FIX, {
          evidence: lastWords(resumed, 15),
        }),
      );
  }
  return judged === 0 ? { notRun: trials.cutShort ?? 'nothing was killed' } : findings;
}
