import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { WorkSpec } from '../backend.ts';
import { graphicsDevices } from './graphics-devices.ts';
import { interpreterMounts, type InterpreterMounts } from './interpreter-mounts.ts';
import { findProgram, type ProcessCommand } from './process-command.ts';
import { isInside, wallCommand, type Wall, type WallPlan } from './wall-command.ts';

/**
 * A trainer's command behind a wall. It sees its package, its environment, its job folder and the system's programs, at the same paths; it may
 * write to checkpoints/, output/ and /tmp. `refused`: one sentence when its program would not be there.
 */
export async function walledCommand(
  wall: Wall,
  work: WorkSpec,
  command: ProcessCommand,
  tmp: string,
  etc: Readonly<Record<string, string>>,
): Promise<{ readonly argv: readonly string[] } | { readonly refused: string }> {
  const [first = '', ...rest] = command.argv;
  const program = (await findProgram(first, command.environment['PATH'] ?? '')) ?? first;
  const interpreter = await mountsOf(work, program);
  const devices = await graphicsDevices(work.device.uuids);
  const writable = ['checkpoints', 'output'].map((name) => join(work.jobFolder, name));
  for (const folder of writable) await mkdir(folder, { recursive: true });
  const plan: WallPlan = {
    argv: [program, ...rest],
    environment: { ...command.environment, HOME: '/tmp', TMPDIR: '/tmp' },
    cwd: '/tmp',
    tmp,
    // The driver of a graphics card is asked through /sys.
    readOnly: [...interpreter.readOnly, work.packageFolder, work.jobFolder, ...(devices.length === 0 ? [] : ['/sys'])],
    writable,
    links: interpreter.links,
    devices,
    etc,
    // Counts as memory once it is touched; the limit of the whole tree is looked at anyway.
    shmBytes: Math.floor(work.limits.memoryBytes / 2),
    network: false,
  };
  if (!isInside(plan, program)) {
    return {
      refused: `The entrypoint "${program}" lies outside of what a walled trainer sees: its package and the system.`,
    };
  }
  return { argv: await wallCommand(wall, plan) };
}

/** Folders of the environment, of the interpreter it links to, and of the one that runs this trainer. */
async function mountsOf(work: WorkSpec, program: string): Promise<InterpreterMounts> {
  const name = work.entrypoint[0] ?? '';
  const pythons = [...(work.environment?.python === undefined ? [] : [work.environment.python])];
  if (name === 'python' || name === 'python3') pythons.push(program);
  const each = await Promise.all(pythons.map(interpreterMounts));
  const own = (work.environment?.path ?? []).map((path) => (basename(path) === 'bin' ? dirname(path) : path));
  return {
    readOnly: [
      ...new Set([...own, ...(name === 'node' ? [program] : []), ...each.flatMap(({ readOnly }) => readOnly)]),
    ],
    links: Object.fromEntries(each.flatMap(({ links }) => Object.entries(links))),
  };
}
