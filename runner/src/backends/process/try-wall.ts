import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import type { Readable } from 'node:stream';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { wallCommand, type Wall, type WallPlan } from './wall-command.ts';
import { findProgram } from './process-command.ts';
import { bootId, signalProcess, statNow } from './process-identity.ts';
import { trainerBehind } from './walled-trainer.ts';

/** `note`: why there is no wall, and how to get one. */
export type FoundWall = { readonly wall: Wall; readonly note: null } | { readonly wall: null; readonly note: string };

const BARE = 'Trainers run with the rights of this runner, so only trusted or approved ones run here';
/** Long: a wall must not be given up because the machine is busy. */
const PATIENCE_MS = 60_000;

let found: Promise<FoundWall> | null = null;
/**
 * The wall of this machine, tried out once per process. Null when there is none, when the trial shows a hole, or when the operator wants none
 * (`TRAINYARD_WALL=none`).
 */
export function findWall(wanted: string | undefined = process.env['TRAINYARD_WALL']): Promise<FoundWall> {
  if (wanted === 'none') {
    return Promise.resolve({ wall: null, note: `${BARE}: TRAINYARD_WALL=none switched the wall off.` });
  }
  if (wanted !== undefined && wanted !== '' && wanted !== 'auto') {
    return Promise.reject(new Error(`TRAINYARD_WALL is "${wanted}"; it must be "auto" or "none".`));
  }
  found ??= lookForWall();
  return found;
}

async function lookForWall(): Promise<FoundWall> {
  const program = await findProgram('bwrap', process.env['PATH'] ?? '');
  if (program === null) {
    return { wall: null, note: `${BARE}. For a wall, install bubblewrap (apt install bubblewrap) and start again.` };
  }
  const help = await promisify(execFile)(program, ['--help'], { timeout: PATIENCE_MS }).then(
    ({ stdout }) => stdout,
    () => '',
  );
  const wall = {
    program,
    canForbidNamespaces: help.includes('--disable-userns'),
    canSizeFolders: help.includes('--size '),
  };
  const hole = await tryWall(wall);
  if (hole === null) return { wall, note: null };
  return { wall: null, note: `${BARE}: bubblewrap is installed, but its trial failed. ${hole}` };
}

/** What the probe looks at, from inside. It answers with what it found, waits for SIGTERM and then says 75. */
const PROBE = `
const { accessSync, readFileSync, writeFileSync } = require('node:fs');
const [secret, outside, port] = process.argv.slice(1);
const holes = [];
const can = (what, action) => { try { action(); holes.push(what); } catch {} };
can('It reads files of this machine.', () => readFileSync(secret));
can('It writes outside of its folders.', () => writeFileSync(outside, ''));
for (const path of ['/', '/usr', '/etc', '/dev', '/proc/sys/kernel/domainname']) can('It may write to ' + path + '.', () => accessSync(path, 2));
const status = readFileSync('/proc/self/status', 'utf8');
const field = (name) => new RegExp('^' + name + ':\\\\s+(\\\\S+)', 'm').exec(status)?.[1];
if (!/^0+$/.test(field('CapEff') + field('CapBnd'))) holes.push('It keeps capabilities.');
if (field('NoNewPrivs') !== '1') holes.push('It may get new privileges.');
if (process.getuid() !== 10001) holes.push('It runs as user ' + process.getuid() + '.');
const { networkInterfaces } = require('node:os');
for (const name of Object.keys(networkInterfaces())) if (name !== 'lo') holes.push('It sees the network card ' + name + '.');
process.on('SIGTERM', () => process.exit(75));
const socket = require('node:net').connect(Number(port), '127.0.0.1');
const say = () => process.stdout.write(JSON.stringify(holes) + '\\n');
socket.on('connect', () => { holes.push('It reaches programs of this machine by network.'); say(); });
socket.on('error', say);
setInterval(() => {}, 1000);
`;

/** One sentence about the first hole, or null: the wall holds, lets exit codes through, and a SIGTERM reaches the program behind it. */
export async function tryWall(wall: Wall): Promise<string | null> {
  const scratch = await mkdtemp(join(tmpdir(), 'trainyard-wall-'));
  const server = createServer().listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const tmp = join(scratch, 'tmp');
    const secret = join(scratch, 'secret');
    await mkdir(tmp);
    await writeFile(secret, 'secret', { mode: 0o600 });
    const plan: WallPlan = {
      argv: [process.execPath, '-e', PROBE, secret, join(scratch, 'outside'), String(port)],
      ...{ environment: { PATH: '/usr/bin:/bin' }, cwd: '/tmp', tmp, readOnly: [process.execPath], writable: [] },
      ...{ links: {}, devices: [], etc: {}, shmBytes: 0, network: false },
    };
    return await judge(await wallCommand(wall, plan));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    server.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function judge(command: readonly string[]): Promise<string | null> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(-500)));
  const ended = new Promise<number | string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'nothing'));
  });
  const late = sleep(PATIENCE_MS, null, { ref: false });
  try {
    const answer = await Promise.race([firstLine(child.stdout), ended.then(() => ''), late]);
    if (answer === null) return 'The program behind it did not answer.';
    if (answer === '') {
      const end = await Promise.race([ended, late]); // only then the complaint is whole
      return `It could not start a program: ${complaint.trim() || String(end)}.`;
    }
    const holes: unknown = JSON.parse(answer);
    if (!Array.isArray(holes)) return 'The program behind it answered something else.';
    if (holes.length > 0) return String(holes[0]);
    const pid = child.pid ?? 0;
    const trainer = await trainerBehind({ boot: bootId(), pid, ticks: statNow(pid)?.ticks ?? 0 });
    if (trainer === null) return 'The program behind it was not found.';
    await signalProcess(trainer, 'SIGTERM');
    const end = await Promise.race([ended, late]);
    return end === 75 ? null : `A stop did not reach the program behind it: it ended with ${end ?? 'nothing'}.`;
  } finally {
    child.kill('SIGKILL');
  }
}

async function firstLine(stream: Readable): Promise<string> {
  let text = '';
  for await (const piece of stream.setEncoding('utf8')) {
    text += String(piece);
    if (text.includes('\n')) break;
  }
  return text;
}
