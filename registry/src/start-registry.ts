import { mkdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { runServer } from 'verdaccio';
import { removeUnnamedTarballs } from './unnamed-tarballs.ts';
import { registryPlugins, type RegistryPlugin, type RegistryPluginConfig } from './registry-plugins.ts';
import { askHub } from './visible-versions.ts';

export interface RegistryOptions {
  /** Folder of packages; created. One registry at a time may use it. It can be rebuilt from the hub's blob store. */
  readonly storage: string;
  /** Made anew at each start, shared with the hub: the hub shows it to write and read, the registry to ask the hub. */
  readonly secret: string;
  /** The hub on loopback; asked `GET /internal/npm/visible?name=…`. It need not listen yet. */
  readonly hubUrl: string;
  /** Where the hub offers the registry to the world, for the tarball addresses in manifests: `/npm/`. */
  readonly urlPrefix?: string;
  /** Folder of the plugins; only the tests give another one. */
  readonly plugins?: string;
}

export interface Registry {
  readonly url: string;
  close(): Promise<void>;
}

const loopback = '127.0.0.1';

/**
 * Verdaccio in this process, on a loopback port chosen by the system. It throws, with nothing left listening, unless both
 * plugins registered and a stranger is really refused: Verdaccio skips a plugin that does not load and would be open.
 */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  await mkdir(options.storage, { recursive: true });
  await removeUnnamedTarballs(options.storage);
  // Verdaccio lets these override where packages lie and what tarballs are called; both are decided here.
  delete process.env['VERDACCIO_STORAGE_PATH'];
  delete process.env['VERDACCIO_PUBLIC_URL'];

  const registered = new Set<RegistryPlugin>();
  const server: Server = await runServer(configuration(options, registered));
  const missing = registryPlugins.filter((plugin) => !registered.has(plugin));
  if (missing.length > 0) {
    throw new Error(
      `registry-plugin-missing: ${missing.join(', ')} did not load, the registry would be open. ` +
        'Its log lines above say why; `npm ci` restores a damaged installation.',
    );
  }

  const url = await listen(server);
  const close = (): Promise<void> => stop(server);
  try {
    await probe(url, options.secret);
  } catch (error) {
    await close();
    throw error;
  }
  return { url, close };
}

function configuration(options: RegistryOptions, registered: Set<RegistryPlugin>): Parameters<typeof runServer>[0] {
  const { storage, secret, hubUrl } = options;
  const plugin: RegistryPluginConfig = {
    trainyard: {
      secret,
      askVisible: askHub({ hubUrl, secret }),
      // A function, not the set: Verdaccio copies its configuration, and a copied set would fill unseen.
      registered: { add: (name) => registered.add(name) },
    },
  };
  const config = {
    storage,
    configPath: join(storage, 'registry.yaml'),
    plugins: options.plugins ?? join(import.meta.dirname, 'plugins'),
    auth: { 'hub-only': plugin },
    filters: { 'published-only': plugin },
    middlewares: {},
    uplinks: {},
    packages: { '@*/*': {}, '**': {} },
    security: {},
    web: { enable: false },
    url_prefix: options.urlPrefix ?? '/',
    // 20 MiB packed is the intake's limit; base64 and the manifest come on top.
    max_body_size: '32mb',
    log: { type: 'stdout', format: 'json', level: 'error' },
  };
  return config as unknown as Parameters<typeof runServer>[0];
}

function listen(server: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, loopback, () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('the registry has no port'));
      else resolve(`http://${loopback}:${address.port}`);
    });
  });
}

/** A stranger's write is 401, a version that the hub does not show is 404; anything else means the gate is open. */
async function probe(url: string, secret: string): Promise<void> {
  const name = 'trainyard-probe';
  const stranger = await fetch(`${url}/${name}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  await stranger.body?.cancel();
  const hidden = await fetch(`${url}/${name}/0.0.0`, { headers: { authorization: `Bearer ${secret}` } });
  await hidden.body?.cancel();
  if (stranger.status === 401 && hidden.status === 404) return;
  throw new Error(
    `registry-open: a write without the secret answered ${stranger.status} instead of 401, ` +
      `an unpublished version ${hidden.status} instead of 404. The registry was not started.`,
  );
}

/** Ends at once: the hub is the only client, and it asks again. */
function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
