import { rm } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { findWall } from '../backends/process/try-wall.ts';
import { findUv } from './find-uv.ts';
import type { EnvironmentRequest } from './environment-request.ts';
import type { Python } from './pythons.ts';
import type { ToolRun } from './run-tool.ts';
import { planSetup } from './setup-plan.ts';

export type InstallStep = Pick<ToolRun, 'argv' | 'environment' | 'walled'>;

/**
 * The commands that build an environment: an empty one, then what the release asks for. Where this machine has a wall, all that handles the
 * release's own files is behind it, with the network, and may write to the new environment; only our own installer, which unpacks locked wheels and
 * runs nothing of them, also to the cache that environments share (one mount: packages are linked, not copied).
 */
export async function installSteps(
  request: EnvironmentRequest,
  folder: string,
  python: Python,
  sharedCache: string,
): Promise<readonly InstallStep[]> {
  const uv = await findUv();
  const { wall } = await findWall();
  const plan = planSetup(request.setup);
  const own = wall !== null && plan.kind === 'own';
  const environment = {
    VIRTUAL_ENV: folder,
    PATH: [join(folder, 'bin'), ...(uv === null ? [] : [dirname(uv)]), process.env['PATH'] ?? ''].join(delimiter),
    UV_CACHE_DIR: own ? '/tmp/uv-cache' : sharedCache,
    UV_LINK_MODE: own ? 'copy' : 'hardlink',
    UV_PYTHON_DOWNLOADS: 'never',
    UV_REQUIRE_HASHES: '1',
    PIP_REQUIRE_HASHES: '1',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    NO_COLOR: '1',
    // A source distribution would run its build.
    ...(wall !== null && plan.kind === 'wheels' ? { UV_NO_BUILD: '1', PIP_ONLY_BINARY: ':all:' } : {}),
  };
  const create =
    uv === null ? [python.path, '-m', 'venv', folder] : [uv, 'venv', '--no-project', '--python', python.path, folder];
  const walled =
    wall === null
      ? {}
      : {
          walled: {
            wall,
            tmp: `${folder}.tmp`,
            etcFolder: join(request.root, 'wall-etc'),
            python: python.path,
            readOnly: uv === null ? [] : [uv],
            writable: own ? [folder] : [request.root],
            network: true,
            settings: !own,
          },
        };
  return [
    { argv: create, environment },
    { argv: installer(plan, uv, folder, request), environment, ...walled },
  ];
}

/** What a build leaves beside its environment: the /tmp it saw. */
export async function removeScratch(folder: string): Promise<void> {
  await rm(`${folder}.tmp`, { recursive: true, force: true });
}

function installer(
  plan: ReturnType<typeof planSetup>,
  uv: string | null,
  folder: string,
  request: EnvironmentRequest,
): readonly string[] {
  const [tool, ...rest] = plan.argv;
  if (tool !== 'uv') return plan.argv;
  if (uv !== null) return [uv, ...rest];
  if (plan.kind === 'own') return plan.argv;
  const lock = resolve(request.packageFolder, 'requirements.lock');
  return [join(folder, 'bin', 'python'), '-m', 'pip', 'install', '--no-deps', '--require-hashes', '-r', lock];
}
