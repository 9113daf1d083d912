import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { LEASE, type LeaseTimings } from '@trainyard/plugin-sdk';

export interface RunnerConfig {
  readonly hubUrl: string;
  readonly token: string;
  /** Root for packages, datasets, environments, records and executions. */
  readonly home: string;
  readonly slots: number;
  /** Null: made once and kept in the home. */
  readonly agentName: string | null;
  readonly timings: LeaseTimings;
  /** No word from a trainer for so long ends it. */
  readonly silenceSeconds: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

function required(env: Environment, name: string, how: string): string {
  const value = env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set. ${how}`);
  return value;
}

function numberOf(env: Environment, name: string, fallback: number, least: number): number {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < least)
    throw new Error(`${name} is "${text}"; it must be a number from ${least} on.`);
  return value;
}

function readToken(env: Environment): string {
  const file = env['TRAINYARD_AGENT_TOKEN_FILE'];
  if (file !== undefined && file !== '') return readFileSync(file, 'utf8').trim();
  return required(env, 'TRAINYARD_AGENT_TOKEN', 'Set it, or TRAINYARD_AGENT_TOKEN_FILE, to the key of this agent.');
}

/** All timings of leases scale together, so that tests can be quick. */
export function scaledTimings(scale: number): LeaseTimings {
  const { lease, renew, reap, survive, claimWait } = LEASE;
  return {
    lease: lease * scale,
    renew: renew * scale,
    reap: reap * scale,
    survive: survive * scale,
    claimWait: claimWait * scale,
  };
}

export function readConfig(env: Environment): RunnerConfig {
  const slots = Math.max(1, Math.min(4, availableParallelism() - 1));
  const name = env['TRAINYARD_AGENT_NAME'];
  return {
    hubUrl: required(env, 'TRAINYARD_HUB_URL', 'Set it to the address of the hub.'),
    token: readToken(env),
    home: required(env, 'TRAINYARD_HOME', 'Set it to a folder of this machine that the runner may fill.'),
    slots: Math.floor(numberOf(env, 'TRAINYARD_SLOTS', slots, 1)),
    agentName: name === undefined || name === '' ? null : name,
    timings: scaledTimings(numberOf(env, 'TRAINYARD_LEASE_SCALE', 1, 0.001)),
    silenceSeconds: numberOf(env, 'TRAINYARD_SILENCE_SECONDS', 300, 1),
  };
}
