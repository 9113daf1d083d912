#!/usr/bin/env node
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  Problem,
  STAGES,
  type ClaimProof,
  type Finding,
  type Report,
  type TaskProof,
  type Verdict,
} from '@trainyard/plugin-sdk';
import { SchemaWorkerPool } from '@trainyard/plugin-sdk/config';
import { packTrainer } from '@trainyard/plugin-sdk/package';
import { EnvironmentFailed, openEnvironments } from '@trainyard/runner';
import { loadBackend } from '@trainyard/runner/backends';
import { readyCheckers } from '@trainyard/runner/verify';
import { newId } from '@trainyard/plugin-sdk';
import { stageOfFinding } from './package-stages.ts';
import { unmountBelow } from './trial/small-disk.ts';
import { validatePackage } from './validate.ts';

const USAGE = `Usage: trainyard-validate [folder|tgz] [--level L1|L2|L3] [--task T]… [--keep DIR] [--json] [--policy local|standard]

Runs the checks of the hub on a trainer: its folder (packed first) or a packed one. The folder you are in when none is named.
L1 (the default) is what publishing needs: it keeps the contract. L2 lets it learn, stop and go on; L3 checks every export; --keep copies them. Both take minutes per task.
Ends with 0 when the package passes, 1 when something blocks it, 2 when it was called wrongly, 3 when something could not be checked here.
Packages and Python environments are kept in TRAINYARD_HOME (default: .trainyard in this folder).`;

const EXIT_OF: Readonly<Record<Verdict, number>> = { passed: 0, rejected: 1, quarantined: 1, inconclusive: 3 };

interface Asked {
  readonly subject: string;
  readonly json: boolean;
  readonly policy: string;
  readonly level: 'L1' | 'L2' | 'L3';
  readonly tasks: readonly string[];
  readonly keep: string | null;
}

function parseArguments(argv: readonly string[]): Asked | null {
  let subject: string | null = null;
  let json = false;
  let policy = 'local';
  let level = 'L1';
  const tasks: string[] = [];
  let keep: string | null = null;
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    if (word === '--json') json = true;
    else if (word === '--policy') policy = argv[(at += 1)] ?? '';
    else if (word === '--level') level = argv[(at += 1)] ?? '';
    else if (word === '--keep') keep = argv[(at += 1)] ?? '';
    else if (word === '--task') tasks.push(argv[(at += 1)] ?? '');
    else if (word.startsWith('-') || subject !== null) return null;
    else subject = word;
  }
  if (policy !== 'local' && policy !== 'standard') return null;
  if (level !== 'L1' && level !== 'L2' && level !== 'L3') return null;
  return { subject: subject ?? '.', json, policy, level, tasks, keep };
}

async function readSubject(path: string): Promise<Uint8Array> {
  const info = await stat(path).catch(() => null);
  if (info === null)
    throw new Problem('not-found', { detail: `There is no ${path}.`, fix: 'Name a folder or a .tgz.' });
  return info.isDirectory() ? packTrainer(path) : readFile(path);
}

async function validate(asked: Asked, signal: AbortSignal): Promise<Report> {
  const tgz = await readSubject(resolve(asked.subject));
  const shared = resolve(process.env['TRAINYARD_HOME'] ?? '.trainyard');
  const scratch = await mkdtemp(join(tmpdir(), 'trainyard-validate-'));
  const installation = newId();
  const schemas = new SchemaWorkerPool({ workers: 1 });
  const backend = await loadBackend('process', { root: join(scratch, 'process'), installation });
  const say = (sentence: string): void => {
    if (!asked.json) process.stderr.write(`${sentence}\n`);
  };
  try {
    const root = join(shared, 'runner', 'environments');
    const environments = openEnvironments(root);
    return await validatePackage({
      tgz,
      home: scratch,
      backend,
      installation,
      schemas,
      policy: asked.policy,
      through: asked.level,
      ...(asked.keep === null ? {} : { keepExports: resolve(asked.keep) }),
      ...(asked.tasks.length === 0 ? {} : { tasks: asked.tasks }),
      ...(asked.level === 'L3' ? { checkers: await readyCheckers(root) } : {}),
      environment: async ({ digest, folder, content }) => {
        try {
          const trainer = { digest, folder, manifest: content.manifest };
          return await environments.ensure(trainer, ({ sentence }) => say(sentence), signal);
        } catch (error) {
          if (!(error instanceof EnvironmentFailed)) throw error;
          throw new Error(`${error.message} ${error.hint}`, { cause: error });
        }
      },
      onProgress: ({ sentence }) => say(sentence),
      signal,
    });
  } finally {
    await schemas.close();
    for (const handle of await backend.find()) await backend.remove(handle);
    await unmountBelow(scratch);
    await rm(scratch, { recursive: true, force: true });
  }
}

const MARKS = { passed: '✔', failed: '✖', skipped: '–', error: '!', waiting: '·', running: '·' } as const;

function printReport(report: Report): void {
  const lines: string[] = [''];
  for (const stage of STAGES) {
    const result = report.stages.find((item) => item.stage === stage);
    if (result === undefined) continue;
    lines.push(`${MARKS[result.state]} ${stage}${result.reason === undefined ? '' : `: ${result.reason}`}`);
    const own = report.findings.filter((finding) => stageOfFinding(finding) === stage);
    for (const finding of own) lines.push(...describeFinding(finding));
  }
  for (const task of report.tasks ?? []) lines.push(...describeTask(task));
  for (const claim of report.claims ?? []) lines.push(describeClaim(claim));
  lines.push('', sentenceOf(report));
  process.stdout.write(`${lines.join('\n')}\n`);
}

function describeFinding({ check, severity, where, message, evidence, fix }: Finding): string[] {
  const place = where?.file === undefined ? '' : ` ${where.file}${where.line === undefined ? '' : `:${where.line}`}`;
  const pointer = where?.pointer === undefined || where.pointer === '' ? '' : ` ${where.pointer}`;
  return [
    `  ${severity} ${check}${place}${pointer}`,
    `    ${message}`,
    ...(evidence === undefined ? [] : evidence.split('\n').map((line) => `    | ${line}`)),
    `    → ${fix}`,
  ];
}

function describeTask({ task, model, level, primary, seconds, reason }: TaskProof): string[] {
  const number = (value: number | null): string => value?.toFixed(3) ?? '–';
  const metric =
    primary === undefined
      ? ''
      : `, ${primary.name} ${number(primary.recomputed)} (reported ${number(primary.reported)}, floor ${primary.floor})`;
  return [
    `${level} ${task} with ${model}${metric}, ${Math.round(seconds)} s`,
    ...(reason === undefined ? [] : [`    ${reason}`]),
  ];
}

const CLAIM_MARKS = { proven: '✔', declared: '·', refuted: '✖' } as const;

function describeClaim({ claim, value, task, precision, state, runtime, reason }: ClaimProof): string {
  const what = [claim, value, precision, task].filter((word) => word !== undefined).join(' ');
  const more = [runtime, reason].filter((word) => word !== undefined).join('; ');
  return `${CLAIM_MARKS[state]} ${what}: ${state}${more === '' ? '' : ` (${more})`}`;
}

function sentenceOf({ verdict, level, findings }: Report): string {
  const errors = findings.filter((finding) => finding.severity === 'error').length;
  if (verdict === 'passed') return `Passed, level ${level}.`;
  if (verdict === 'inconclusive') return 'Not proven: something that is required could not be checked here.';
  return `Not accepted: ${errors} ${errors === 1 ? 'error' : 'errors'}.`;
}

async function main(): Promise<number> {
  const argv = process.argv.slice(2);
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const asked = parseArguments(argv);
  if (asked === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const end = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => end.abort(new Error('Interrupted.')));
  try {
    const report = await validate(asked, end.signal);
    if (asked.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else printReport(report);
    return EXIT_OF[report.verdict];
  } catch (error) {
    const fix = error instanceof Problem && error.info.fix !== undefined ? ` ${error.info.fix}` : '';
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}${fix}\n`);
    return error instanceof Problem ? 2 : 3;
  }
}

process.exitCode = await main();
