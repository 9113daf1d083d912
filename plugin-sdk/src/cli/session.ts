import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { HubClient } from '../client/hub-client.ts';
import { Problem } from '../problem.ts';

/** Where the hub is and who calls: TRAINYARD_URL and TRAINYARD_TOKEN, else what `trainyard login` kept. */
export interface Session {
  readonly url: string;
  readonly token: string | null;
}

function sessionFile(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'trainyard', 'session.json');
}

export async function readSession(env: NodeJS.ProcessEnv): Promise<Session> {
  const text = await readFile(sessionFile(env), 'utf8').catch(() => '{}');
  let kept: { url?: string; token?: string };
  try {
    kept = JSON.parse(text) as { url?: string; token?: string };
  } catch {
    kept = {};
  }
  return {
    url: env['TRAINYARD_URL'] ?? kept.url ?? 'http://localhost:3000',
    token: env['TRAINYARD_TOKEN'] ?? kept.token ?? null,
  };
}

export async function keepSession(env: NodeJS.ProcessEnv, session: Session): Promise<string> {
  const path = sessionFile(env);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, JSON.stringify(session), { mode: 0o600 });
  return path;
}

export function clientFor(session: Session): HubClient {
  if (session.token === null) {
    throw new Problem('not-authenticated', {
      detail: 'You are not signed in here.',
      fix: `Make a token on ${session.url}/keys, then: trainyard login ${session.url}`,
    });
  }
  return new HubClient({ url: session.url, token: session.token });
}
