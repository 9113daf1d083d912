import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Person } from './people.ts';

const CLI = join(import.meta.dirname, '..', '..', 'plugin-sdk', 'src', 'cli', 'main.ts');

export interface CommandEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end. Its environment is only what is given here and what any program needs. */
export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandEnd> {
  return new Promise((done, failed) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], LANG: process.env['LANG'], ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => void (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => void (stderr += chunk.toString()));
    child.once('error', failed);
    child.once('close', (code) => done({ code, stdout, stderr }));
  });
}

/** The CLI as the author types it, signed in as this person. */
export function trainyard(person: Person, args: readonly string[], options: CommandOptions = {}): Promise<CommandEnd> {
  return runCommand(process.execPath, ['--disable-warning=ExperimentalWarning', CLI, ...args], {
    ...options,
    env: { ...options.env, TRAINYARD_URL: person.client.url, TRAINYARD_TOKEN: person.token },
  });
}

/** The unmodified npm, with a configuration that holds nothing but our registry and the token. */
export function npm(
  person: Person,
  args: readonly string[],
  options: CommandOptions & { readonly home: string },
): Promise<CommandEnd> {
  const registry = `${person.client.url}/npm/`;
  const flags = [`--registry=${registry}`, `--${registry.replace(/^http:/, '')}:_authToken=${person.token}`];
  return runCommand('npm', [...args, ...flags, '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'], {
    ...options,
    env: {
      ...options.env,
      HOME: options.home,
      npm_config_userconfig: `${options.home}/.npmrc`,
      npm_config_cache: `${options.home}/cache`,
    },
  });
}
