import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '@trainyard/plugin-sdk';
import { pathProblem } from '@trainyard/plugin-sdk/archive';
import type { Trial, Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'output-safe';
const FIX = 'Write regular files only, with plain relative names.';
const LIMITS = { pathBytes: 512, pathDepth: 12 };
const MOST_PER_TRIAL = 5;

/** What runs leave in output/ and checkpoints/ can be collected: regular files, no links, plain names. */
export async function checkOutput(trials: Trials): Promise<CheckResult> {
  const judged = trials.all.filter((trial) => trial.verb !== 'describe');
  if (judged.length === 0) return { notRun: trials.cutShort ?? 'nothing ran' };
  const findings: Finding[] = [];
  for (const trial of judged) {
    const found = [...(await judge(trial, 'output')), ...(await judge(trial, 'checkpoints'))];
    findings.push(...found.slice(0, MOST_PER_TRIAL));
  }
  return findings;
}

async function judge(trial: Trial, folder: string): Promise<Finding[]> {
  const report = (path: string, what: string): Finding =>
    findingOf(ID, `The run "${trial.name}" left ${JSON.stringify(path)}, which ${what}.`, FIX, {
      where: { file: path },
    });
  const walk = async (path: string): Promise<Finding[]> => {
    const entries = await readdir(join(trial.jobFolder, path), { withFileTypes: true }).catch(() => []);
    const findings: Finding[] = [];
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const here = `${path}/${entry.name}`;
      const problem = pathProblem(here, LIMITS);
      if (problem !== null) findings.push(report(here, problem));
      else if (entry.isSymbolicLink()) findings.push(report(here, 'is a link'));
      else if (entry.isDirectory()) findings.push(...(await walk(here)));
      else if (!entry.isFile()) findings.push(report(here, 'is not a regular file'));
    }
    return findings;
  };
  const top = await readdir(trial.jobFolder, { withFileTypes: true }).catch(() => []);
  if (top.some((entry) => entry.name === folder && !entry.isDirectory()))
    return [report(folder, 'is no folder any more')];
  return walk(folder);
}
