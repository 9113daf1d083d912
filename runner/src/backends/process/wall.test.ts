import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ContractBench } from '../../testing/index.ts';
import { processesUnderTest } from '../../testing/process-backend-under-test.ts';
import { parseCardInformation } from './graphics-devices.ts';
import { interpreterMounts } from './interpreter-mounts.ts';
import { findWall, tryWall, type FoundWall } from './try-wall.ts';

const found = await findWall('auto');

/**
 * A hostile trainer: tries everything at once and says what worked. What would touch more of this machine than the test's own folders is tried only
 * by user 10001, whom there is behind the wall alone.
 */
const HOSTILE = `
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, existsSync, linkSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
const folder = process.argv[process.argv.indexOf('--job') + 1];
const { secret, otherJob, home, runner, port, package: own } = JSON.parse(readFileSync(join(folder, 'job.json'), 'utf8')).config;
const worked = [];
const attempt = (what, action) => { try { if (action() !== false) worked.push(what); } catch {} };
const walledAttempt = process.getuid() === 10001 ? attempt : () => {};
attempt('writes to the home', () => writeFileSync(join(home, 'planted'), 'x'));
attempt('writes to its package', () => writeFileSync(join(own, 'planted'), 'x'));
attempt('writes to its dataset', () => writeFileSync(join(folder, 'dataset', 'a.png'), 'x'));
attempt('writes to its job file', () => writeFileSync(join(folder, 'job.json'), '{}'));
attempt('takes a link to its dataset along', () => linkSync(join(folder, 'dataset', 'a.png'), join(folder, 'output', 'a.png')));
walledAttempt('writes to /usr', () => writeFileSync('/usr/.trainyard', '', { flag: 'wx' }));
walledAttempt('writes to the root', () => writeFileSync('/.trainyard', '', { flag: 'wx' }));
attempt('reads a file of this machine', () => readFileSync(secret));
attempt('reads the shadow file', () => readFileSync('/etc/shadow'));
attempt('reads the folder of another job', () => readFileSync(join(otherJob, 'job.json')));
attempt('lists other jobs', () => readdirSync(join(folder, '..')).length > 1);
attempt('sees the runner', () => existsSync('/proc/' + runner + '/cmdline'));
attempt('kills the runner', () => process.kill(runner, 'SIGKILL'));
attempt('kills everybody', () => process.kill(-1, 0) && Number(readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length) > 4);
attempt('reads the environment of the runner', () => readFileSync('/proc/' + runner + '/environ'));
attempt('gets a secret by its environment', () => Object.keys(process.env).some((name) => /TOKEN|SECRET|TRAINYARD/.test(name)));
attempt('reads the environment of its parents', () => ['1', process.ppid].some((pid) => /TOKEN=/.test(readFileSync('/proc/' + pid + '/environ', 'latin1'))));
walledAttempt('changes the kernel', () => accessSync('/proc/sys/kernel/core_pattern', 2));
walledAttempt('makes namespaces', () => spawnSync('unshare', ['--user', '--map-root-user', 'true']).status === 0);
walledAttempt('mounts', () => spawnSync('mount', ['-t', 'tmpfs', 'none', join(folder, 'output')]).status === 0);
walledAttempt('becomes root', () => (process.setuid(0), true));
attempt('sees network cards', () => Object.keys(networkInterfaces()).some((name) => name !== 'lo'));
attempt('finds devices', () => readdirSync('/dev').some((name) => /^(sd|vd|nvme|kvm|mem|kmsg)/.test(name)));
const reaches = (host, port) => new Promise((resolve) => {
  const socket = connect({ host, port, timeout: 3000 });
  for (const [event, good] of [['connect', true], ['error', false], ['timeout', false]]) socket.on(event, () => (socket.destroy(), resolve(good)));
});
if (await reaches('127.0.0.1', port)) worked.push('reaches a program of this machine');
if (await reaches('192.0.2.1', 443) || await reaches('1.1.1.1', 443)) worked.push('reaches the outside');
if (await reaches('example.org', 443)) worked.push('finds names');
writeFileSync(join(folder, 'output', 'answer.json'), JSON.stringify(worked));
`;

describe('a hostile trainer', () => {
  const server = createServer();
  before(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  after(() => server.close());

  /** Runs it in a job of its own, beside another job and a runner with a secret; answers what worked. */
  async function attack(wall: FoundWall): Promise<readonly string[]> {
    let worked: readonly string[] = [];
    const runner = spawn('sleep', ['60'], { env: { PATH: process.env['PATH'], HUB_TOKEN: 'x' }, stdio: 'ignore' });
    try {
      await ContractBench.run(processesUnderTest(wall), async (bench) => {
        const home = join(bench.root, 'home');
        const own = join(bench.root, 'package');
        const other = await bench.work({});
        const work = await bench.work({});
        for (const folder of [home, own, join(work.jobFolder, 'dataset')]) await mkdir(folder);
        await writeFile(join(own, 'hostile.mjs'), HOSTILE);
        await writeFile(join(work.jobFolder, 'dataset', 'a.png'), 'picture', { mode: 0o444 });
        const secret = join(home, 'secret');
        await writeFile(secret, 'secret', { mode: 0o600 });
        const address = server.address();
        const port = typeof address === 'object' && address !== null ? address.port : 0;
        const config = { secret, otherJob: other.jobFolder, home, runner: runner.pid, port, package: own };
        await writeFile(join(work.jobFolder, 'job.json'), JSON.stringify({ config }));
        const hostile = { ...work, packageFolder: own, entrypoint: ['node', '{package}/hostile.mjs'] };
        const { exit, output } = await bench.carryOut(hostile);
        assert.deepEqual([exit.kind, exit.kind === 'exited' && exit.code], ['exited', 0], output.stderr.toString());
        worked = JSON.parse(await readFile(join(work.jobFolder, 'output', 'answer.json'), 'utf8'));
        if (wall.wall === null) return;
        assert.equal(await readFile(join(work.jobFolder, 'dataset', 'a.png'), 'utf8'), 'picture');
        assert.deepEqual(await readdir(home), ['secret']);
        const mine = await stat(join(work.jobFolder, 'output', 'answer.json'));
        assert.equal(mine.uid, process.getuid?.(), 'what it writes belongs to the runner');
        assert.deepEqual([runner.exitCode, runner.signalCode], [null, null]);
      });
    } finally {
      runner.kill('SIGKILL');
    }
    return worked;
  }

  test('behind the wall gets nothing', { skip: found.note ?? false, timeout: 60_000 }, async () => {
    assert.deepEqual(await attack(found), []);
  });

  test(
    'the same trainer without a wall gets what it asks for: the attempts are real',
    { timeout: 60_000 },
    async () => {
      const worked = await attack({ wall: null, note: 'Switched off for this test.' });
      for (const what of [
        'writes to the home',
        'writes to its package',
        'reads a file of this machine',
        'kills the runner',
      ])
        assert.ok(worked.includes(what), `${what} is not among: ${worked.join(', ')}`);
      assert.ok(worked.includes('reaches a program of this machine') && worked.includes('lists other jobs'));
    },
  );
});

describe('the trial of the wall', () => {
  let folder = '';
  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'trainyard-trial-')));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** A program in the place of bwrap. */
  async function standIn(name: string, body: string): Promise<{ program: string } & typeof options> {
    const program = join(folder, name);
    await writeFile(program, `#!/bin/sh\n${body}\n`);
    await chmod(program, 0o755);
    return { program, ...options };
  }
  const options = { canForbidNamespaces: true, canSizeFolders: true };

  test('a wall that is none is found out', { timeout: 60_000 }, async () => {
    const open = await standIn('open', 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"');
    assert.match((await tryWall(open)) ?? 'nothing', /reads files of this machine/);
    const broken = await standIn('broken', 'echo "No permissions to create a new namespace" >&2; exit 1');
    assert.match((await tryWall(broken)) ?? 'nothing', /could not start a program: No permissions/);
    assert.match((await tryWall({ ...open, program: join(folder, 'missing') })) ?? 'nothing', /ENOENT/);
  });

  test('one hole is enough: a shared network', { skip: found.note ?? false, timeout: 60_000 }, async () => {
    const shared = await standIn('shared', `shift; exec ${found.wall?.program ?? ''} --unshare-all --share-net "$@"`);
    assert.match((await tryWall(shared)) ?? 'nothing', /network/);
  });

  test('the operator may switch it off; another word stops the start', async () => {
    const off = await findWall('none');
    assert.equal(off.wall, null);
    assert.match(off.note ?? '', /TRAINYARD_WALL=none/);
    await assert.rejects(findWall('maybe'), /it must be "auto" or "none"/);
  });

  test('an environment shows its interpreter, never the home that a link passes', async () => {
    const home = join(folder, 'home');
    const python = join(home, '.pythons', '3.12');
    const environment = join(folder, 'env');
    for (const path of [
      join(python, 'bin'),
      join(python, 'lib', 'python3.12'),
      join(home, '.local', 'bin'),
      join(environment, 'bin'),
    ])
      await mkdir(path, { recursive: true });
    await writeFile(join(python, 'bin', 'python3.12'), '');
    await writeFile(join(python, 'lib', 'python3.12', 'os.py'), '');
    await writeFile(join(environment, 'pyvenv.cfg'), '');
    await symlink(join(python, 'bin', 'python3.12'), join(home, '.local', 'bin', 'python3.12'));
    await symlink(join(home, '.local', 'bin', 'python3.12'), join(environment, 'bin', 'python'));
    assert.deepEqual(await interpreterMounts(join(environment, 'bin', 'python')), {
      readOnly: [environment, python],
      links: { [join(home, '.local', 'bin', 'python3.12')]: join(python, 'bin', 'python3.12') },
    });
  });

  test('the device files of a granted card are told by the driver', () => {
    const text = 'Model: \t\t NVIDIA H100\nGPU UUID: \t GPU-aaaaaaaa-1111\nBus Type: \t PCIe\nDevice Minor: \t 3\n';
    assert.deepEqual(parseCardInformation(text), { uuid: 'GPU-aaaaaaaa-1111', minor: 3 });
    assert.equal(parseCardInformation('Model: x\n'), null);
  });
});
