import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SchemaWorkerPool } from '@trainyard/plugin-sdk/config';
import { HubClient } from '@trainyard/plugin-sdk/client';
import { openEnvironments, readConfig, readIdentity, walledOnly, type RunnerConfig } from '@trainyard/runner';
import { hubPortOver, runAgent, SYSTEM_CLOCK, type Log } from '@trainyard/runner/agent';
import { loadBackend, type Backend } from '@trainyard/runner/backends';
import { openPackageStore } from '@trainyard/runner/work';
import { pino } from 'pino';
import { unmountBelow } from './trial/small-disk.ts';
import { validateHandler } from './handle-validate.ts';

/** Same settings as a runner. Both may share a home: then packages, environments and the count of free cores are shared too. */
export type ValidatorConfig = RunnerConfig;

/** Runs until the signal fires. Validations under way are begun anew at the next start. */
export async function startValidator(config: ValidatorConfig, signal: AbortSignal, log: Log = pino()): Promise<void> {
  const { home } = config;
  const identity = await readIdentity(home, 'validator');
  const agent = config.agentName ?? identity.name;
  const { installation } = identity;
  const backend = await loadBackend('process', { root: join(home, 'process'), installation });
  const own = join(home, 'validator');
  await removeLeftovers(backend, own, log);
  const environments = openEnvironments(join(home, 'environments'));
  const schemas = new SchemaWorkerPool({ workers: 1 });
  const hub = hubPortOver(new HubClient({ url: config.hubUrl, token: config.token }));
  const validate = validateHandler({
    backend,
    installation,
    packages: openPackageStore(join(home, 'packages')),
    environments,
    schemas,
    home: own,
    environmentsRoot: join(home, 'environments'),
  });
  const handler = walledOnly(backend, validate);
  log.info({ agent, hub: config.hubUrl, slots: config.slots }, 'the validator is ready');
  try {
    await runAgent(
      { hub, clock: SYSTEM_CLOCK, log, timings: config.timings },
      {
        agent,
        kinds: ['validate', 'prove'],
        // A proof takes minutes: it never keeps a new package waiting.
        slots: config.slots + 1,
        slotsOf: { validate: config.slots, prove: 1 },
        offers: async () => (await backend.offers()).map(withoutUuids),
        ready: () => environments.ready(),
        handlers: { validate: handler, prove: handler },
        records: join(own, 'records'),
      },
      signal,
    );
  } finally {
    await schemas.close();
  }
}

function withoutUuids(offer: Awaited<ReturnType<Backend['offers']>>[number]) {
  return { ...offer, devices: offer.devices.map(({ kind, name, count }) => ({ kind, name, count })) };
}

/** Trials of a validator that was killed belong to nobody. */
async function removeLeftovers(backend: Backend, home: string, log: Log): Promise<void> {
  for (const handle of await backend.find()) {
    await backend.remove(handle).catch((error: unknown) => {
      log.warn({ name: handle.name, error: String(error) }, 'a left-over trial could not be removed');
    });
  }
  await unmountBelow(join(home, 'validations'));
  await rm(join(home, 'validations'), { recursive: true, force: true });
}

if (import.meta.main) {
  const end = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => end.abort('agent-ending'));
  const log = pino({ level: process.env['TRAINYARD_LOG_LEVEL'] ?? 'info' });
  try {
    await startValidator(readConfig(process.env), end.signal, log);
  } catch (error) {
    log.error({ error: error instanceof Error ? error.message : String(error) }, 'the validator could not start');
    process.exitCode = 1;
  }
}
