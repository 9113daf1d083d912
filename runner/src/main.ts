import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HubClient } from '@trainyard/plugin-sdk/client';
import { pino } from 'pino';
import { hubPortOver, runAgent, SYSTEM_CLOCK, type Log } from './agent/index.ts';
import { openAttemptRecords } from './agent/attempt-records.ts';
import { loadBackend, type Backend } from './backends/index.ts';
import { withExclusiveLock } from './backends/process/exclusive-lock.ts';
import { readConfig, type RunnerConfig } from './config.ts';
import { openEnvironments } from './handlers/local-environments.ts';
import { prepareHandler } from './handlers/prepare.ts';
import { runVerbHandler } from './handlers/run-verb.ts';
import { exportVerifier } from './handlers/verify-export.ts';
import { walledOnly } from './handlers/walled-only.ts';
import { readIdentity } from './runner-identity.ts';
import { executionName } from '@trainyard/plugin-sdk';
import { openDatasetStore } from './work/dataset-store.ts';
import { openPackageStore } from './work/package-store.ts';

/** What the other agent of a machine, the validator, shares with this one. */
export { readConfig, scaledTimings, type RunnerConfig } from './config.ts';
export { EnvironmentFailed, type EnvironmentStore } from './handlers/environment-store.ts';
export { openEnvironments } from './handlers/local-environments.ts';
export { packageDownload } from './handlers/open-inputs.ts';
export { outcomeOfPreparing } from './handlers/preparing-failure.ts';
export { walledOnly } from './handlers/walled-only.ts';
export { readIdentity } from './runner-identity.ts';

/** Runs until the signal fires; trainers go on and are taken up at the next start. */
export async function startRunner(config: RunnerConfig, signal: AbortSignal, log: Log = pino()): Promise<void> {
  const { home } = config;
  await mkdir(home, { recursive: true });
  // Two runners on one home would take each other's executions for their own.
  await withExclusiveLock(join(home, 'runner.lock'), () => runAt(home, config, signal, log), {
    waitMs: 10_000,
    signal,
  });
}

async function runAt(home: string, config: RunnerConfig, signal: AbortSignal, log: Log): Promise<void> {
  const identity = await readIdentity(home, 'runner');
  const agent = config.agentName ?? identity.name;
  const { installation } = identity;
  const backend = await loadBackend('process', { root: join(home, 'process'), installation });
  const records = join(home, 'records');
  await removeForgotten(backend, records, log);
  const packages = openPackageStore(join(home, 'packages'));
  const environments = openEnvironments(join(home, 'environments'));
  const runVerb = runVerbHandler({
    backend,
    installation,
    packages,
    environments,
    datasets: openDatasetStore(join(home, 'datasets')),
    verifyExport: exportVerifier(join(home, 'environments')),
    jobs: join(home, 'jobs'),
    silenceSeconds: config.silenceSeconds,
  });
  const hub = hubPortOver(new HubClient({ url: config.hubUrl, token: config.token }));
  log.info({ agent, hub: config.hubUrl, slots: config.slots }, 'the runner is ready');
  await runAgent(
    { hub, clock: SYSTEM_CLOCK, log, timings: config.timings },
    {
      agent,
      kinds: ['train', 'evaluate', 'predict', 'export', 'prepare'],
      slots: config.slots,
      offers: async () => (await backend.offers()).map(withoutUuids),
      ready: () => environments.ready(),
      handlers: {
        train: runVerb,
        evaluate: runVerb,
        predict: runVerb,
        export: runVerb,
        prepare: walledOnly(backend, prepareHandler({ packages, environments })),
      },
      records,
    },
    signal,
  );
}

function withoutUuids(offer: Awaited<ReturnType<Backend['offers']>>[number]) {
  return { ...offer, devices: offer.devices.map(({ kind, name, count }) => ({ kind, name, count })) };
}

/** An execution without a record was over for us before a crash kept us from removing it. */
async function removeForgotten(backend: Backend, folder: string, log: Log): Promise<void> {
  const known = (await openAttemptRecords(folder).list()).map(({ claimed }) =>
    executionName(claimed.job, claimed.number),
  );
  for (const handle of await backend.find()) {
    if (known.includes(handle.name)) continue;
    log.info({ name: handle.name }, 'removing an execution nobody knows');
    await backend.remove(handle).catch((error: unknown) => {
      log.warn({ name: handle.name, error: String(error) }, 'it could not be removed');
    });
  }
}

if (import.meta.main) {
  const end = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => end.abort('agent-ending'));
  const log = pino({ level: process.env['TRAINYARD_LOG_LEVEL'] ?? 'info' });
  try {
    await startRunner(readConfig(process.env), end.signal, log);
  } catch (error) {
    log.error({ error: error instanceof Error ? error.message : String(error) }, 'the runner could not start');
    process.exitCode = 1;
  }
}
