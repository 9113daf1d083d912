import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compare } from './support/rounds.ts';

/** Seconds from the start of the process to the first page, site built and database there; beside it a bare node:http server. */
const root = join(import.meta.dirname, '..');
const LIMIT_MS = 60_000;
const BARE = "require('node:http').createServer((q, s) => s.end('<html></html>')).listen(Number(process.env.PORT))";

if (!existsSync(join(root, 'site', 'build', 'index.js'))) {
  console.log('start: not measured, the site is not built (npm run build)');
} else {
  const home = mkdtempSync(join(tmpdir(), 'ty-start-'));
  const env = { TRAINYARD_HOME: home, TRAINYARD_LOG: 'silent' };
  const ours = (): Promise<number> => firstPage([join(root, 'scripts', 'start.ts')], env);
  const reference = (): Promise<number> => firstPage(['-e', BARE], {});
  try {
    await compare({ name: 'start', unit: 's', ours, reference, referenceIs: 'bare node:http', rounds: 3 });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => done(address !== null && typeof address === 'object' ? address.port : 0));
    });
  });
}

async function firstPage(args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const port = await freePort();
  const begun = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  try {
    for (;;) {
      const page = await fetch(`http://127.0.0.1:${port}/`, { headers: { accept: 'text/html' } }).catch(() => null);
      if (page?.ok === true && (await page.text()).includes('<html')) return (performance.now() - begun) / 1000;
      if (child.exitCode !== null || performance.now() - begun > LIMIT_MS) throw new Error('there was no first page');
      await new Promise((done) => setTimeout(done, 10));
    }
  } finally {
    child.kill('SIGINT');
    const patience = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await ended;
    clearTimeout(patience);
  }
}
