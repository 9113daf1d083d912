// The table of what the bundled trainers were seen to do: the conformance program (`trainyard validate --level L3`) on the real frameworks, task by task.
// Short: one task a trainer and every export format once. Full: every declared task; each result is kept with its commit and machine as soon as it is there.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report } from '@trainyard/plugin-sdk';
import { parse } from 'yaml';
import { keepProof, rowsOf, tableOf, type Proven } from './proof-table.ts';
import { emptyTally, type Tally } from './tally.ts';

/** What `trainyard init --template python` writes: an own trainer of 40 lines. */
const STARTER = 'starter';
/** One task each that together covers every export format. */
const SHORT = [
  { trainer: STARTER, task: 'classify' },
  { trainer: 'reference', task: 'classify' },
  { trainer: 'timm', task: 'classify' },
  { trainer: 'huggingface', task: 'semantic' },
  { trainer: 'ultralytics', task: 'detect' },
] as const;

interface Asked {
  readonly root: string;
  /** Folder for copies of the exports, for the tests of the runtime wrappers. */
  readonly bundles: string | null;
  /** `ultralytics` or `ultralytics/pose`; empty for all. */
  readonly only: string;
  readonly full: boolean;
}

/** `desk`: where the starter was made. */
function folderOf(root: string, desk: string, trainer: string): string {
  if (trainer === STARTER) return join(desk, STARTER);
  return trainer === 'reference' ? join(root, 'plugin-sdk', 'reference-trainer') : join(root, 'trainers', trainer);
}

/** Environments and checkers of the proofs; kept between runs where the trainers' test environments are kept. */
function homeOf(root: string): string {
  const given = process.env['TRAINYARD_TEST_ENVS'];
  return given === undefined || given === ''
    ? join(root, '.trainyard', 'cache', 'proofs')
    : join(given, '..', 'proofs');
}

export async function proveTrainers(asked: Asked): Promise<Tally> {
  const desk = mkdtempSync(join(tmpdir(), 'trainyard-starter-'));
  try {
    const init = [join(asked.root, 'plugin-sdk/src/cli/main.ts'), 'init', STARTER, '--template', 'python'];
    spawnSync(process.execPath, init, { cwd: desk, stdio: ['ignore', 'ignore', 'inherit'] });
    return await proveAll(asked, desk);
  } finally {
    rmSync(desk, { recursive: true, force: true });
  }
}

async function proveAll({ root, bundles, only, full }: Asked, desk: string): Promise<Tally> {
  const home = homeOf(root);
  mkdirSync(home, { recursive: true });
  const env = { ...process.env, TRAINYARD_HOME: home, OMP_NUM_THREADS: '1' };
  const prepare = [join(root, 'runner/src/verify/prepare-checkers.ts'), join(home, 'runner')];
  const prepared = spawnSync(process.execPath, prepare, { env, stdio: ['ignore', 'inherit', 'inherit'] });
  const tally = emptyTally();
  if (prepared.status !== 0) {
    tally.skips.push({ name: 'proofs: export checkers', reason: 'their environment could not be built' });
    console.log('The export checkers could not be prepared: exports other than ONNX stay declared.');
  }
  const wanted = (full ? allTasks(root, desk) : SHORT).filter(({ trainer, task }) =>
    `${trainer}/${task}`.startsWith(only),
  );
  const results: Proven[] = [];
  for (const { trainer, task } of wanted) {
    console.log(`\n── proof: ${trainer} ${task}`);
    const proven = await prove({ root, desk, trainer, task, env, keep: bundles });
    if (typeof proven === 'string') {
      tally.failed += 1;
      tally.failures.push(`proof ${trainer} ${task}: ${proven}`);
      continue;
    }
    results.push(proven);
    judge(proven, tally);
    if (full) keepProof(root, proven);
    console.log(
      rowsOf(proven)
        .map((row) => row.join(' | '))
        .join('\n'),
    );
  }
  console.log(`\n${tableOf(results)}`);
  return tally;
}

function allTasks(root: string, desk: string): { trainer: string; task: string }[] {
  return [STARTER, 'reference', 'timm', 'huggingface', 'ultralytics'].flatMap((trainer) => {
    const manifest = parse(readFileSync(join(folderOf(root, desk, trainer), 'trainer.yaml'), 'utf8'));
    return manifest.tasks.map(({ id }: { id: string }) => ({ trainer, task: id }));
  });
}

/** The report of one task, or why there is none. */
async function prove(what: {
  root: string;
  desk: string;
  trainer: string;
  task: string;
  env: NodeJS.ProcessEnv;
  /** Folder for copies of the exports. */
  keep: string | null;
}): Promise<Proven | string> {
  const folder = folderOf(what.root, what.desk, what.trainer);
  const began = Date.now();
  const args = [join(what.root, 'validator/src/cli.ts'), folder, '--level', 'L3', '--task', what.task, '--json'];
  if (what.keep !== null) args.push('--keep', what.keep);
  const child = spawn(process.execPath, args, { env: what.env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (part: Buffer) => (text += part.toString()));
  const code = await new Promise<number | null>((done) => child.on('close', done));
  let report: Report;
  try {
    report = JSON.parse(text);
  } catch {
    return `it ended with ${code} and no report`;
  }
  const errors = report.findings
    .filter((finding) => finding.severity === 'error')
    .map(
      (finding) =>
        `${finding.check}: ${finding.message}${finding.evidence === undefined ? '' : ` (${finding.evidence})`}`,
    );
  const task = report.tasks?.find((item) => item.task === what.task);
  const stuck = report.stages
    .filter((stage) => stage.state === 'error')
    .map((stage) => `${stage.stage}: ${stage.reason}`);
  if (task === undefined) return [...stuck, ...errors].join(' · ') || `${report.verdict}, without this task`;
  const { version } = parse(readFileSync(join(folder, 'trainer.yaml'), 'utf8'));
  return {
    trainer: what.trainer,
    version,
    task,
    claims: report.claims ?? [],
    verdict: report.verdict,
    seconds: (Date.now() - began) / 1000,
    errors: [...errors, ...stuck],
  };
}

/** One test for the task and one for each export claim; a claim that is only declared says why. */
function judge({ trainer, task, claims, verdict, errors }: Proven, tally: Tally): void {
  const name = `proof ${trainer} ${task.task}`;
  if (verdict === 'passed') tally.passed += 1;
  else {
    tally.failed += 1;
    tally.failures.push(`${name}: ${verdict}. ${errors.join(' · ')}`);
  }
  for (const claim of claims.filter(({ claim: kind }) => kind === 'export')) {
    if (claim.state === 'proven') tally.passed += 1;
    else if (claim.state === 'declared') console.log(`declared: ${name} ${claim.value}: ${claim.reason ?? ''}`);
    else {
      tally.failed += 1;
      tally.failures.push(`${name} ${claim.value}: refuted. ${claim.reason ?? ''}`);
    }
  }
}
