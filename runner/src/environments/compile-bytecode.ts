import { spawn } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../backends/process/process-command.ts';
import { listProcesses, treeOf } from '../backends/process/process-tree.ts';
import { findWall } from '../backends/process/try-wall.ts';
import { walledTool } from './walled-tool.ts';

const MARK = '.compiled';
const YIELD_MS = 1000;
const going = new Map<string, Promise<void>>();
let queue: Promise<void> = Promise.resolve();

/**
 * Compiles an environment's modules in the background, once, one environment at a time and with the lowest priority: runs may not write there, and
 * a big framework takes most of a minute. Until it is done, runs start some seconds later. Never throws; a runner that ends early is followed up
 * by the next use. The base interpreter does it without looking into the environment's own settings, so nothing of it is run.
 */
export function compileLater(root: string, folder: string, python: string): void {
  if (going.has(folder)) return;
  const done = queue.then(async () => {
    if ((await readFile(join(folder, MARK)).catch(() => null)) !== null) return;
    if (await compile(root, folder, python)) await writeFile(join(folder, MARK), '').catch(() => undefined);
  });
  queue = done.catch(() => undefined).finally(() => going.delete(folder));
  going.set(folder, queue);
}

/** Ends when nothing is being compiled any more. */
export function compiledAll(): Promise<void> {
  return queue;
}

async function compile(root: string, folder: string, python: string): Promise<boolean> {
  const libraries = (await readdir(join(folder, 'lib')).catch(() => [])).map((name) => join(folder, 'lib', name));
  const plain = [python, '-I', '-S', '-m', 'compileall', '-q', ...libraries];
  const path = process.env['PATH'] ?? '';
  const [nice, setpriv] = await Promise.all([findProgram('nice', path), findProgram('setpriv', path)]);
  const { wall } = await findWall();
  const tmp = `${folder}.compile`;
  const where = { cwd: folder, environment: {}, tmp, etcFolder: join(root, 'wall-etc'), python };
  const argv =
    wall === null
      ? plain
      : await walledTool(wall, {
          ...where,
          argv: plain,
          readOnly: [],
          writable: [folder],
          network: false,
          settings: false,
        });
  const [program = '', ...args] = [
    ...(nice === null ? [] : [nice, '-n', '19']),
    ...(setpriv === null ? [] : [setpriv, '--pdeathsig', 'KILL', '--']), // it ends with this process
    ...argv,
  ];
  const child = spawn(program, args, { cwd: folder, env: { PATH: path }, stdio: 'ignore', detached: true });
  child.unref();
  const yielding = setInterval(() => void yieldToOthers(child.pid), YIELD_MS);
  yielding.unref();
  const ran = await new Promise<boolean>((resolve) => {
    child.on('error', () => resolve(false));
    // A module that no Python of this version can read is left out and makes it say 1.
    child.on('exit', (code) => resolve(code === 0 || code === 1));
  });
  clearInterval(yielding);
  await rm(tmp, { recursive: true, force: true });
  return ran;
}

/** A wall is a session of its own, and the kernel shares processors by sessions: within one, niceness says nothing to the others. */
async function yieldToOthers(pid: number | undefined): Promise<void> {
  if (pid === undefined) return;
  for (const { pid: each } of treeOf(pid, await listProcesses()))
    await writeFile(`/proc/${each}/autogroup`, '19').catch(() => undefined);
}
