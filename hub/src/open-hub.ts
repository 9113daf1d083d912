import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SchemaWorkerPool } from '@trainyard/plugin-sdk/config/schema-worker';
import type { Logger } from 'pino';
import { buildHub, FOLLOWERS, scaleTimings, type HubParts } from './app.ts';
import { openFsStore } from './blobs/fs-store.ts';
import { createDataset } from './datasets/create-dataset.ts';
import { archiveEntries } from './datasets/read-upload.ts';
import { extendLeases, reapExpired } from './jobs/reap-expired.ts';
import { SEAL_SEGMENTS, sealSeries } from './journal/seal-series.ts';
import { collectGarbage } from './blobs/collect-garbage.ts';
import { createChores } from './platform/chores.ts';
import { systemClock } from './platform/clock.ts';
import { HUB_VERSION, type HubConfig } from './platform/config.ts';
import { openDatabase } from './platform/database.ts';
import type { EmbeddedPostgres } from './platform/embedded-postgres.ts';
import { findPort } from './platform/find-port.ts';
import { openEventBus } from './platform/event-bus.ts';
import { migrate } from './platform/migrate.ts';
import { query } from './platform/sql.ts';
import { beginSampleRun } from './runs/begin-sample-run.ts';
import { prepareBundled, registerBundled, submitPrepared } from './trainers/bundled/bundled-trainers.ts';
import { publishReleases } from './trainers/publish/publish-releases.ts';
import { fetchWeights } from './weights/fetch-weights.ts';
import { openAuth } from './users/auth.ts';
import { readAuthSecret } from './users/auth-secret.ts';
import { createAuthenticator } from './users/authenticate.ts';
import { issueAgentKey, revokeAgentKeys } from './users/issue-agent-key.ts';
import { issueLocalToken } from './users/local-account.ts';
import { prepareSetUp } from './users/set-up.ts';

export interface RunningHub {
  /** Loopback address for agents, registry and site. */
  readonly hubUrl: string;
  readonly publicUrl: string;
  readonly port: number;
  readonly registrySecret: string;
  /** Text of the one-time link, or null once an administrator exists. */
  readonly setUpToken: string | null;
  readonly databasePid: number | null;
  /** A new key for the agent; earlier ones end. */
  agentKey(agent: string): Promise<string>;
  /** Token of the local account, for programs of whoever owns the folder of state. */
  localToken(): Promise<string>;
  /** As the installation itself: builds the environment of a bundled trainer, then submits it. */
  prepareBundled(name: string): Promise<void>;
  /** Folder of packed trainers that come with this version; what is new in it is submitted. */
  useBundled(folder: string): void;
  /** The registry listens; releases that wait for it go on. */
  useRegistry(url: string): void;
  /** Answers no new calls, finishes what is under way, stops the database it started. */
  close(): Promise<void>;
}

async function readOrMakeSecret(path: string): Promise<string> {
  const known = await readFile(path, 'utf8').catch(() => null);
  if (known !== null && known.length >= 32) return known.trim();
  const secret = randomBytes(32).toString('base64url');
  await writeFile(path, secret, { mode: 0o600 });
  return secret;
}

async function bundledPackages(folder: string): Promise<{ path: string; downloadBytes: number }[]> {
  if (folder === '') return [];
  const files = (await readdir(folder)).filter((file) => file.endsWith('.tgz')).sort();
  return Promise.all(
    files.map(async (file) => {
      const size = await readFile(join(folder, `${file}.size`), 'utf8').catch(() => '0');
      return { path: join(folder, file), downloadBytes: Number(size) };
    }),
  );
}

const SAMPLE = {
  name: 'Handwritten digits',
  license: 'CC-BY-4.0',
  organizationId: 'trainyard',
  visibility: 'public',
  sample: true,
  createdBy: 'Trainyard',
  description: '1,797 pictures of handwritten digits, 8 by 8 pixels (UCI, Alpaydin and Kaynak).',
} as const;

/** Opens everything outside, listens, starts the chores. Takes the embedded server over: it is stopped with the hub, also when the start fails. */
export async function openHub(config: HubConfig, postgres: EmbeddedPostgres | null, log: Logger): Promise<RunningHub> {
  const home = resolve(config.TRAINYARD_HOME);
  try {
    const db = await openDatabase(
      postgres === null ? { url: config.DATABASE_URL } : { connection: postgres.connection },
    );
    await migrate(db.pool);
    const timings = scaleTimings(config.TRAINYARD_LEASE_SCALE);
    await extendLeases({ db, timings });
    const bus = await openEventBus(db.connection, db.pool);
    const port = await findPort(config.PORT, config.HOST);
    const publicUrl = config.PUBLIC_URL === '' ? `http://localhost:${port}` : config.PUBLIC_URL.replace(/\/$/, '');
    const auth = openAuth({ db, publicUrl, secret: await readAuthSecret(home) });
    const parts: HubParts = {
      db,
      bus,
      clock: systemClock,
      log,
      auth,
      authenticator: createAuthenticator({ db, auth, publicUrl, bus }),
      blobs: openFsStore(join(home, 'blobs')),
      schemas: new SchemaWorkerPool(),
      ticketSecret: await readOrMakeSecret(join(home, 'ticket-secret')),
      registry: { url: '', secret: await readOrMakeSecret(join(home, 'registry-secret')) },
      publicUrl,
      hubUrl: `http://127.0.0.1:${port}`,
      scratch: join(home, 'blobs', 'uploads'),
      fetchHosts: config.TRAINYARD_FETCH_HOSTS.split(',').filter((host) => host !== ''),
      timings,
      trustProxy: config.TRUSTED_PROXIES === '' ? false : config.TRUSTED_PROXIES.split(','),
      siteUrl: config.TRAINYARD_SITE_URL === '' ? null : config.TRAINYARD_SITE_URL,
      version: HUB_VERSION,
    };
    const { app, journal } = await buildHub(parts);
    await app.listen({ port, host: config.HOST });
    const deps = { ...parts, followers: FOLLOWERS };

    const chores = createChores(log);
    chores.every(timings.reap, 'jobs.reap-expired', () => reapExpired(deps));
    chores.every(3600, 'blobs.collect-garbage', () => collectGarbage({ db: db.pool, blobs: parts.blobs }));
    const seal = chores.every(30, 'journal.seal-series', async () => {
      const rows = await query<{ attempt: string; ended: boolean }>(
        db.pool,
        'select m.attempt, a.ended_at is not null as ended from attempt_mark m join attempt a on a.id = m.attempt where m.segments > 0 and (a.ended_at is not null or m.segments > $1) limit 50',
        [SEAL_SEGMENTS],
      );
      for (const row of rows) await sealSeries(deps, row.attempt, row.ended);
    });
    bus.on('attempt-ended', () => seal.poke());
    const publisher = chores.every(15, 'trainers.publish', async () => {
      if (parts.registry.url === '') return;
      const proofs = config.TRAINYARD_PROVE;
      await publishReleases(
        deps,
        async (release) => {
          if (release.official && config.TRAINYARD_SAMPLE !== '') await beginSampleRun(deps, release);
        },
        proofs,
      );
    });
    bus.on('publish', () => publisher.poke());
    const ending = new AbortController();
    const fetcher = chores.every(60, 'weights.fetch', () => fetchWeights(deps, ending.signal));
    bus.on('weights', () => fetcher.poke());
    const prepared = chores.every(60, 'trainers.submit-prepared', () => submitPrepared(deps));
    bus.on('bundled', () => prepared.poke());
    let bundledFolder = config.TRAINYARD_BUNDLED;
    const bundled = chores.every(3600, 'start.bundled', async () => {
      await addSample(deps, config.TRAINYARD_SAMPLE);
      await registerBundled(deps, await bundledPackages(bundledFolder));
    });

    return {
      hubUrl: parts.hubUrl,
      publicUrl,
      port,
      registrySecret: parts.registry.secret,
      databasePid: postgres?.pid ?? null,
      setUpToken: await prepareSetUp({ db }, systemClock.now()),
      async agentKey(agent) {
        await revokeAgentKeys({ db }, agent);
        return issueAgentKey({ db }, { agentId: agent, hours: null });
      },
      localToken: () => issueLocalToken({ db }),
      prepareBundled: async (name) => void (await prepareBundled(deps, { principal: { kind: 'system' } }, name)),
      useBundled(folder) {
        bundledFolder = folder;
        bundled.poke();
      },
      useRegistry(url) {
        parts.registry.url = url;
        publisher.poke();
      },
      async close() {
        ending.abort();
        await chores.stop();
        app.server.closeAllConnections();
        await app.close();
        await journal.drain();
        await parts.schemas.close();
        parts.authenticator.close();
        await bus.close();
        await db.close();
        await postgres?.stop('fast');
      },
    };
  } catch (error) {
    await postgres?.stop('fast');
    throw error;
  }
}

async function addSample(deps: HubParts, path: string): Promise<void> {
  if (
    path === '' ||
    !(await stat(path).then(
      () => true,
      () => false,
    ))
  )
    return;
  const [known] = await query(deps.db.pool, 'select 1 from dataset where sample limit 1');
  if (known === undefined) await createDataset(deps, { principal: { kind: 'system' } }, SAMPLE, archiveEntries(path));
}
