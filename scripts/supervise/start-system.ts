import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HubConfig, RunningHub } from '@trainyard/hub';
import { findPort } from '@trainyard/hub/port';
import type { Registry } from '@trainyard/registry';
import { Problem } from '@trainyard/plugin-sdk';
import { endTrainers } from './end-trainers.ts';
import { createChildren, endLeftovers, type ChildSpec } from './children.ts';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';

export interface RunningSystem {
  readonly hub: RunningHub;
  readonly url: string;
  stop(): Promise<void>;
}

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** Slots of the runner: a training and something short beside it, also on two cores. */
const SLOTS = Math.max(3, Math.min(4, availableParallelism() - 1));

const FIRST_PAGE_MS = 5000;
/** Whoever has the page open already gets it before the hub is held up. */
const AFTER_FIRST_PAGE_MS = 300;

/** One supervisor per folder of state. A lock whose holder is gone is taken over. */
async function holdFolder(home: string): Promise<string> {
  const path = join(home, 'supervisor.json');
  const holder = JSON.parse(await readFile(path, 'utf8').catch(() => 'null')) as ProcessIdentity | null;
  if (holder !== null && holder.pid !== process.pid && (await isAlive(holder))) {
    throw new Problem('in-use', {
      detail: `Trainyard already runs here (process ${holder.pid}).`,
      fix: `Open it, stop it, or choose another folder: TRAINYARD_HOME=… npm start`,
    });
  }
  await writeFile(path, JSON.stringify(await identify(process.pid)));
  return path;
}

/** Only what a child needs: no credential of the shell that started us. */
function childEnv(more: Record<string, string>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of [
    'PATH',
    'HOME',
    'LANG',
    'TMPDIR',
    'TZ',
    'PIP_CERT',
    'SSL_CERT_FILE',
    'REQUESTS_CA_BUNDLE',
    'PIP_INDEX_URL',
    'UV_INDEX_URL',
    'UV_DEFAULT_INDEX',
    'UV_NATIVE_TLS',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
    'http_proxy',
    'https_proxy',
    'no_proxy',
    'PIP_CONFIG_FILE',
    'UV_CONFIG_FILE',
    'XDG_CONFIG_HOME',
    'TRAINYARD_LEASE_SCALE',
    'TRAINYARD_WALL',
    'NODE_COMPILE_CACHE',
    'TRAINYARD_LOG_LEVEL',
  ]) {
    const value = process.env[name];
    if (value !== undefined) kept[name] = value;
  }
  return { ...kept, ...more };
}

/** Until the site has drawn its first page, so that nothing of the rest of the start delays the one who waits for it. */
async function firstPage(port: number): Promise<void> {
  const until = Date.now() + FIRST_PAGE_MS;
  while (Date.now() < until) {
    const drawn = await fetch(`http://127.0.0.1:${port}/`).then(
      async (response) => (await response.text()) !== '',
      () => false,
    );
    if (drawn) return void (await new Promise((resolve) => setTimeout(resolve, AFTER_FIRST_PAGE_MS)));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function siteChild(port: number, hubUrl: string): ChildSpec {
  return {
    name: 'site',
    script: join(ROOT, 'site', 'build', 'index.js'),
    env: childEnv({
      PORT: String(port),
      HOST: '127.0.0.1',
      HUB_URL: hubUrl,
      NODE_ENV: 'production',
      PROTOCOL_HEADER: 'x-forwarded-proto',
      HOST_HEADER: 'x-forwarded-host',
      BODY_SIZE_LIMIT: '64M',
    }),
  };
}

/** Hub and registry in this process; runner, validator and site as children; everything behind one address. */
export async function startSystem(
  config: HubConfig,
  options: { say: (line: string) => void; site: boolean; agents?: boolean },
): Promise<RunningSystem> {
  const home = resolve(config.TRAINYARD_HOME);
  await mkdir(home, { recursive: true, mode: 0o755 });
  const lock = await holdFolder(home);
  const record = join(home, 'children.json');
  const left = await endLeftovers(record);
  if (left > 0) options.say(`Ended ${left} processes that an earlier start left behind.`);
  const port = await findPort(config.PORT, config.HOST);
  const sitePort = options.site ? await findPort(0, '127.0.0.1') : null;
  const children = createChildren({ record, logs: join(home, 'logs'), say: options.say });
  // The site comes up beside the hub, not after it: the first page waits for both.
  if (sitePort !== null) await children.start(siteChild(sitePort, `http://127.0.0.1:${port}`));
  let hub: RunningHub | null = null;
  let registry: Registry | null = null;
  async function stop(): Promise<void> {
    await children.stop();
    if (options.agents !== false) await endTrainers(join(home, 'runner'));
    await registry?.close();
    await hub?.close();
    await rm(record, { force: true });
    await rm(lock, { force: true });
  }
  try {
    const { startHub } = await import('@trainyard/hub');
    hub = await startHub({
      ...config,
      PORT: port,
      TRAINYARD_HOME: home,
      TRAINYARD_SAMPLE: join(ROOT, 'plugin-sdk', 'samples', 'digits.zip'),
      TRAINYARD_SITE_URL: sitePort === null ? '' : `http://127.0.0.1:${sitePort}`,
    });
    if (sitePort !== null) await firstPage(sitePort);
    // Loaded only now: its import holds this process for as long as half the start of the hub.
    const { startRegistry } = await import('@trainyard/registry');
    registry = await startRegistry({
      storage: join(home, 'registry'),
      secret: hub.registrySecret,
      hubUrl: hub.hubUrl,
      urlPrefix: '/npm/',
    });
    hub.useRegistry(registry.url);
    const bundled = join(home, 'bundled');
    const { bundleTrainers } = await import('./bundle-trainers.ts');
    await bundleTrainers(ROOT, bundled);
    hub.useBundled(bundled);
    if (options.agents !== false) {
      for (const name of ['runner', 'validator'] as const) {
        const agent = `${name}-1`;
        const tokenFile = join(home, `${name}.token`);
        await writeFile(tokenFile, await hub.agentKey(agent), { mode: 0o600 });
        await children.start({
          name,
          script: join(ROOT, name, 'src', 'main.ts'),
          env: childEnv({
            TRAINYARD_HUB_URL: hub.hubUrl,
            TRAINYARD_AGENT_TOKEN_FILE: tokenFile,
            TRAINYARD_HOME: join(home, 'runner'),
            TRAINYARD_AGENT_NAME: agent,
            ...(name === 'runner' ? { TRAINYARD_SLOTS: String(SLOTS) } : {}),
          }),
        });
      }
    }
    await writeFile(join(home, 'local.json'), JSON.stringify({ url: hub.publicUrl, token: await hub.localToken() }), {
      mode: 0o600,
    });
    return { hub, url: hub.publicUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
