// What `npm run test:trainers -- --full` keeps: docs/proofs.json, one entry for a task of a trainer, and docs/proofs.md drawn from it.
import { spawnSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, release as kernel, totalmem } from 'node:os';
import { join } from 'node:path';
import type { ClaimProof, TaskProof } from '@trainyard/plugin-sdk';

/** What one task of one trainer was seen to do. */
export interface Proven {
  readonly trainer: string;
  readonly version: string;
  readonly task: TaskProof;
  readonly claims: readonly ClaimProof[];
  readonly verdict: string;
  readonly seconds: number;
  readonly errors: readonly string[];
}

/** Where and when it was seen. */
interface Kept extends Proven {
  readonly commit: string;
  readonly at: string;
  readonly machine: string;
}

const FOLDER = 'docs';
const HEAD = ['task', 'trainer', 'level', 'metric', 'format', 'shown', 'parity', 'seconds'];

/** One row for the task and one for each export. */
export function rowsOf({ trainer, task, claims, seconds }: Proven): string[][] {
  const metric =
    task.primary === undefined
      ? ''
      : `${task.primary.name} ${number(task.primary.recomputed)} (said ${number(task.primary.reported)}, floor ${task.primary.floor})`;
  const exported = claims.filter((claim) => claim.claim === 'export');
  const ofExports = exported.reduce((sum, claim) => sum + (claim.seconds ?? 0), 0);
  const first = [task.task, trainer, task.level, metric, '', task.reason ?? '', '', (seconds - ofExports).toFixed(0)];
  const rows = exported.map((claim) => [
    ...[task.task, trainer, '', ''],
    `${claim.value} ${claim.precision ?? ''}`.trim(),
    claim.state === 'proven' ? claim.state : `${claim.state}: ${claim.reason ?? ''}`,
    claim.figures?.['maxAbs'] === undefined ? '' : `${number(claim.figures['maxAbs'])} (${claim.runtime ?? ''})`,
    claim.seconds === undefined ? '' : claim.seconds.toFixed(0),
  ]);
  return [first, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '/')));
}

function number(value: number | null | undefined): string {
  return value == null ? '–' : String(Number(value.toPrecision(3)));
}

export function tableOf(results: readonly Proven[]): string {
  const rows = results.flatMap(rowsOf).map((row) => `| ${row.join(' | ')} |`);
  return [`| ${HEAD.join(' | ')} |`, `|${HEAD.map(() => '---').join('|')}|`, ...rows].join('\n');
}

/** Puts the newest result of a task in the place of the one before it; a run that is cut off keeps what it had. */
export function keepProof(root: string, proven: Proven): void {
  const file = join(root, FOLDER, 'proofs.json');
  const seen = { ...proven, commit: commitOf(root), at: new Date().toISOString().slice(0, 16), machine: machine() };
  const others = readKept(file).filter(
    ({ trainer, task }) => trainer !== proven.trainer || task.task !== proven.task.task,
  );
  const all = [...others, seen].sort((a, b) => orderOf(a).localeCompare(orderOf(b)));
  replace(file, `${JSON.stringify(all, null, 2)}\n`);
  replace(join(root, FOLDER, 'proofs.md'), proofsDocument(root));
}

/** docs/proofs.md, drawn from docs/proofs.json. */
export function proofsDocument(root: string): string {
  return documentOf(readKept(join(root, FOLDER, 'proofs.json')));
}

function orderOf({ trainer, task }: Kept): string {
  return `${trainer} ${task.task}`;
}

function readKept(file: string): Kept[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return [];
  }
}

function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

/** Of the code that was run: what this program itself writes does not count as a change. */
function commitOf(root: string): string {
  const git = (...args: string[]): string => spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout.trim();
  const changed = git('status', '--porcelain', '--untracked-files=no', '--', '.', `:!${FOLDER}/proofs.*`) !== '';
  return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`;
}

function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${memory} GiB, Linux ${kernel()} ${arch()}, no GPU used`;
}

function documentOf(all: readonly Kept[]): string {
  const machines = [...new Set(all.map((one) => one.machine))];
  const runs = all.map(({ trainer, version, task, at, commit, machine: where }) => {
    const number = machines.length > 1 ? ` on machine ${machines.indexOf(where) + 1}` : '';
    return `- ${trainer} ${version}, ${task.task}: ${at.replace('T', ' ')} UTC, commit ${commit}${number}`;
  });
  return `# What the bundled trainers were seen to do

Written by \`npm run test:trainers -- --full\` from [proofs.json](proofs.json). Small made-up data ("parts on a belt"), random weights, one thread; the
metric is recomputed from the predictions. Seconds of a task are its checks and its acceptance (training, evaluation, stop, kill, resume), those of an
export are the export and its comparison.

${tableOf(all)}

## When and where

${machines.map((name, index) => `Machine${machines.length > 1 ? ` ${index + 1}` : ''}: ${name}.`).join('\n')}

${runs.join('\n')}
`;
}
