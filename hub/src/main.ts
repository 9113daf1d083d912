import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pino, type Logger } from 'pino';
import type { RunningHub } from './open-hub.ts';
import type { HubConfig } from './platform/config.ts';
import { startPostgres } from './platform/embedded-postgres.ts';

export { HUB_VERSION, readConfig, VARIABLES, type HubConfig } from './platform/config.ts';
export { findPort } from './platform/find-port.ts';
export type { RunningHub } from './open-hub.ts';

const REDACTED = ['*.token', '*.password', 'headers.authorization', 'headers.cookie'];

/** Starts the database it brings (unless DATABASE_URL names one), then the hub. The rooms are loaded while the database starts. */
export async function startHub(config: HubConfig, options: { log?: Logger } = {}): Promise<RunningHub> {
  const log = options.log ?? pino({ level: config.TRAINYARD_LOG, redact: REDACTED });
  const home = resolve(config.TRAINYARD_HOME);
  await mkdir(home, { recursive: true });
  const starting =
    config.DATABASE_URL === ''
      ? startPostgres({ stateDir: home, log: (line) => log.debug({ line }, 'postgres') })
      : Promise.resolve(null);
  const [postgres, { openHub }] = await Promise.all([starting, import('./open-hub.ts')]);
  return openHub(config, postgres, log);
}
