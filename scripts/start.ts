import { readConfig } from '@trainyard/hub/config';
import { Problem } from '@trainyard/plugin-sdk';
import { existsSync } from 'node:fs';
import { startSystem } from './supervise/start-system.ts';

/** `npm start`: everything on one machine, until Ctrl-C. */

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Expected failures are one sentence with the way out; anything else keeps its stack. */
function explain(error: unknown): string {
  if (error instanceof Problem) return [error.message, error.info.fix].filter((part) => part !== undefined).join(' ');
  if (error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT'))
    return 'The disk is full: free some space, then start again. Nothing is lost.';
  if (error instanceof Error && 'code' in error && error.code === 'EACCES')
    return `${error.message}: choose a folder you may write: TRAINYARD_HOME=… npm start`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

// The terminal may be gone when it stops; that must not end it half-way.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

const started = Date.now();
/** From the first moment on: Ctrl-C during the start ends it in order too, as soon as there is something to end. */
const asked = new Promise<void>((resolve) => {
  // Not `once`: a library in this process ends it at a signal that nobody else listens to any more.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
});
try {
  const config = readConfig({ ...process.env, TRAINYARD_LOG: process.env['TRAINYARD_LOG'] ?? 'warn' });
  const hasSite = existsSync(new URL('../site/build/index.js', import.meta.url));
  const system = await startSystem(config, { say, site: hasSite });
  if (config.PORT !== 0 && system.hub.port !== config.PORT)
    say(`Port ${config.PORT} is taken; using ${system.hub.port}.`);
  say(`Trainyard is running: ${system.url}   (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (system.hub.setUpToken !== null) {
    say(`Make the first administrator (valid for one hour): ${system.url}/set-up?token=${system.hub.setUpToken}`);
  }
  say('Ctrl-C stops it. Nothing is lost: the next start goes on.');
  await asked;
  say('Stopping.');
  await system.stop();
  process.exit(0);
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
}
