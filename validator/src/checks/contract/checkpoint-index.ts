import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '@trainyard/plugin-sdk';
import { readOutputTree } from '@trainyard/runner/work';
import { entryOf, readCheckpointIndex, type CheckpointEntry } from '../../trial/checkpoint-file.ts';
import { exitCodeOf, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'checkpoint-index';
const FIX =
  'Write the checkpoint to checkpoints/.tmp-<id>, fsync, rename it, then replace checkpoints/index.json the same way; the SDK does it.';
const WHERE = { file: 'checkpoints/index.json' };
const MOST_BYTES = 4 * 1024 ** 3;

/** The index after a training names `best` and `last`, and every digest in it is true. */
export async function checkCheckpointIndex(trials: Trials): Promise<CheckResult> {
  const trial = trials.get('train');
  if (trial === null || exitCodeOf(trial) !== 0) return { notRun: trials.cutShort ?? 'no training ran to its end' };
  const index = await readCheckpointIndex(trial.jobFolder);
  if ('problem' in index) return [findingOf(ID, index.problem, FIX, { where: WHERE })];
  const findings: Finding[] = [];
  for (const kind of ['best', 'last'] as const) {
    if (entryOf(index, index[kind]) === null)
      findings.push(findingOf(ID, `After a training the index names no "${kind}" checkpoint.`, FIX, { where: WHERE }));
  }
  for (const entry of index.history) {
    const wrong = await digestProblem(trial.jobFolder, entry);
    if (wrong !== null) findings.push(findingOf(ID, wrong, FIX, { where: WHERE }));
  }
  const names = await readdir(join(trial.jobFolder, 'checkpoints')).catch(() => []);
  for (const name of names.filter((item) => item.startsWith('.tmp-')).sort())
    findings.push(findingOf(ID, `checkpoints/${name} was left behind.`, FIX));
  return findings;
}

/** One sentence when a checkpoint is not what the index says. */
export async function digestProblem(jobFolder: string, entry: CheckpointEntry): Promise<string | null> {
  try {
    const tree = await readOutputTree(jobFolder, entry.path, MOST_BYTES);
    return tree.sha256 === entry.sha256 ? null : `The digest of ${entry.path} is not the one in the index.`;
  } catch (error) {
    return `The index names ${entry.path}, but: ${error instanceof Error ? error.message : String(error)}`;
  }
}
