import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { handleOf, Unavailable, type WorkSpec } from '../backend.ts';
import { collect, ContractBench, eventually, INSTALLATION } from '../../testing/index.ts';
import { processesUnderTest } from '../../testing/process-backend-under-test.ts';
import { startedStep } from '../../testing/trainer-script.ts';
import { AttemptFolder } from './attempt-folder.ts';
import { bootId, statNow } from './process-identity.ts';
import { recordOf } from './process-record.ts';
import { findWall } from './try-wall.ts';

/** What only real processes can show: dead runners, reused pids, environments, devices. */

const found = await findWall('auto');
const bare = processesUnderTest({ wall: null, note: 'Switched off for this test.' });
const walled = found.wall === null ? null : processesUnderTest(found);

/** Bare and, where this machine has one, behind a wall. `none` in TRAINYARD_WALL is for the runner in another process. */
function real(name: string, body: (bench: ContractBench, wall: 'none' | 'auto') => Promise<void>): void {
  test(name, { timeout: 60_000 }, () => ContractBench.run(bare, (bench) => body(bench, 'none')));
  const skip = walled === null ? (found.note ?? 'no wall') : false;
  test(`${name} (walled)`, { timeout: 60_000, skip }, () =>
    ContractBench.run(walled ?? bare, (bench) => body(bench, 'auto')),
  );
}
/** What a wall has nothing to do with, or what only its absence allows. */
function onlyBare(name: string, body: (bench: ContractBench) => Promise<void>): void {
  test(name, { timeout: 60_000 }, () => ContractBench.run(bare, body));
}

/** A runner of its own that starts the work and then stays, until it is killed. */
function otherRunner(bench: ContractBench, work: WorkSpec, wall: string): ChildProcess {
  const module = new URL('./process-backend.ts', import.meta.url).href;
  const options = JSON.stringify({ root: join(bench.root, 'backend'), installation: INSTALLATION, sampleMs: 200 });
  const code = `
    const { createProcessBackend } = await import(${JSON.stringify(module)});
    const backend = await createProcessBackend(${options});
    const handle = await backend.start(${JSON.stringify(work)});
    process.stdout.write(handle.executionId);
    await backend.wait(handle);`;
  const env = { ...process.env, TRAINYARD_WALL: wall };
  return spawn(process.execPath, ['--input-type=module', '-e', code], { env, stdio: ['ignore', 'pipe', 'inherit'] });
}

async function kill(runner: ChildProcess): Promise<void> {
  if (runner.exitCode !== null || runner.signalCode !== null) return;
  runner.kill('SIGKILL');
  await once(runner, 'exit');
}

real(
  'C32 the runner is killed while the trainer runs: a new one adopts it and reads exit code and every byte',
  async (bench, wall) => {
    const steps = [
      startedStep(),
      { do: 'flood', lines: 1000 },
      { do: 'sleep', ms: 900 },
      { do: 'flood', lines: 1000, to: 'stderr' },
      { do: 'exit', code: 76 },
    ] as const;
    const work = await bench.work({ steps });
    const runner = otherRunner(bench, work, wall);
    await eventually('the trainer runs', async () => (await bench.begun()) > 0);
    await kill(runner);
    const [handle] = await bench.backend.find();
    assert.equal(handle?.name, work.name);
    const adopted = await bench.backend.start(work);
    assert.deepEqual(adopted, handle);
    const [exit, output] = await Promise.all([bench.backend.wait(adopted), collect(bench.backend, adopted)]);
    assert.deepEqual([exit.kind, exit.kind === 'exited' && exit.code], ['exited', 76]);
    assert.deepEqual([output.stdout.length, output.stderr.length], [100_000, 100_000]);
    assert.equal(await bench.begun(), 1);
  },
);

onlyBare('C31 a runner killed between making the folder and the start: the next one starts it, once', async (bench) => {
  const work = await bench.work({ steps: [startedStep(), { do: 'exit', code: 0 }] });
  const folder = new AttemptFolder(join(bench.root, 'backend', 'attempts', work.name));
  await folder.create(recordOf(work, [], 0));
  const [found] = await bench.backend.find();
  assert.equal(found?.executionId, null);
  const { exit } = await bench.carryOut(work);
  assert.deepEqual([exit.kind, exit.kind === 'exited' && exit.code], ['exited', 0]);
  assert.equal(await bench.begun(), 1);
});

real('a deadline goes on counting while no runner is there', async (bench, wall) => {
  const steps = [startedStep(), { do: 'sleep', ms: 60_000 }] as const;
  const limits = { memoryBytes: 2 ** 30, maxSeconds: 2, diskBytes: 2 ** 30 };
  const work = await bench.work({ steps }, { limits });
  const runner = otherRunner(bench, work, wall);
  await eventually('the trainer runs', async () => (await bench.begun()) > 0);
  await kill(runner);
  const exit = await bench.backend.wait((await bench.backend.find())[0] ?? handleOf('process', work));
  assert.equal(exit.evidence.timedOut, true);
  assert.deepEqual([exit.kind, exit.kind === 'exited' && exit.code], ['exited', 75]);
  const seconds = (Date.parse(exit.endedAt ?? '') - Date.parse(exit.startedAt ?? '')) / 1000;
  assert.ok(seconds >= 1 && seconds <= 4, `${seconds} s`);
});

onlyBare('a reused pid is never signalled', async (bench) => {
  const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(stranger, 'spawn');
  try {
    const pid = stranger.pid ?? 0;
    const ticks = statNow(pid)?.ticks ?? 0;
    for (const [index, line] of [`${bootId()} ${pid} ${ticks - 1}\n`, `earlier-boot ${pid} ${ticks}\n`].entries()) {
      const work = await bench.work({}, { job: `reused-${index}` });
      const folder = new AttemptFolder(join(bench.root, 'backend', 'attempts', work.name));
      await folder.create(recordOf(work, [], 0));
      await writeFile(join(folder.run, 'begun'), line);
      await writeFile(join(folder.run, 'pid'), line);
      const handle = await bench.backend.start(work); // adopted, not started
      await bench.backend.stop(handle, 0);
      assert.equal((await bench.backend.wait(handle)).kind, 'vanished');
      await bench.backend.remove(handle);
    }
    assert.deepEqual([stranger.exitCode, stranger.signalCode], [null, null]);
    assert.notEqual(statNow(pid), null);
  } finally {
    stranger.kill('SIGKILL');
  }
});

real('the environment is the closed list of the contract, HOME and TMPDIR are private', async (bench, wall) => {
  const work = await bench.work({}, { localEnv: { DATA: '{package}/data', PATH: '/evil', HOME: '/evil' }, cpus: 2 });
  await mkdir(join(bench.root, 'package'));
  const program = join(bench.root, 'package', 'show.mjs');
  await writeFile(
    program,
    'console.log(JSON.stringify({ env: process.env, cwd: process.cwd(), argv: process.argv.slice(2) }))',
  );
  const shown = { ...work, packageFolder: join(bench.root, 'package'), entrypoint: ['node', '{package}/show.mjs'] };
  const { output } = await bench.carryOut(shown);
  const { env, cwd, argv } = JSON.parse(output.stdout.toString());
  const tmp = wall === 'auto' ? '/tmp' : join(bench.root, 'backend', 'attempts', work.name, 'tmp');
  delete env.PWD; // a shell makes these by itself
  delete env.OLDPWD;
  delete env._;
  delete env.SHLVL;
  assert.deepEqual(env, {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    HOME: tmp,
    TMPDIR: tmp,
    TRAINER_CONTRACT: '1',
    TRAINER_JOB_ID: work.job,
    OMP_NUM_THREADS: '2',
    OMP_WAIT_POLICY: 'PASSIVE',
    PYTHONDONTWRITEBYTECODE: '1',
    CUDA_VISIBLE_DEVICES: '',
    DATA: `${join(bench.root, 'package')}/data`,
  });
  assert.equal(cwd, tmp);
  assert.deepEqual(argv, ['train', '--job', work.jobFolder]);
});

onlyBare('python means the interpreter of the environment, or the one of the machine', async (bench) => {
  const program = join(bench.root, 'show.py');
  await writeFile(program, 'import sys; print(sys.executable); print(sys.stdin.read() == "")');
  const work = await bench.work({}, { entrypoint: ['python', program] });
  const { output } = await bench.carryOut(work);
  assert.match(output.stdout.toString(), /^\/.*python3[.0-9]*\nTrue\n$/);
  const own = await bench.work(
    {},
    { entrypoint: ['python', program], environment: { python: '/usr/bin/env', path: [] } },
  );
  const { exit } = await bench.carryOut(own);
  assert.notEqual(exit.kind === 'exited' ? exit.code : 0, 0); // env cannot run show.py, python could
});

onlyBare('two open executions never share a graphics card', async (bench) => {
  const device = { kind: 'cuda', uuids: ['GPU-11111111-1111-1111-1111-111111111111'] } as const;
  const first = await bench.work({ steps: [startedStep(), { do: 'sleep', ms: 60_000 }] }, { device });
  const second = await bench.work({ steps: [{ do: 'exit', code: 0 }] }, { device });
  const handle = await bench.backend.start(first);
  const other = await bench.subject.restarted();
  await assert.rejects(
    other.start(second),
    (error) => error instanceof Unavailable && error.message.includes(first.name),
  );
  await bench.backend.stop(handle, 0);
  await bench.backend.wait(handle);
  const { exit } = await bench.carryOut(second);
  assert.equal(exit.kind, 'exited');
});
