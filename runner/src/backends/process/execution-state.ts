import { constants } from 'node:os';
import { NO_EVIDENCE, type Evidence, type Exit, type ExitKind } from '../backend.ts';
import type { AttemptFolder, ExitRecord } from './attempt-folder.ts';
import { isAlive, type ProcessIdentity } from './process-identity.ts';
import { kernelOutOfMemoryKills } from './process-tree.ts';

/** What the folder and /proc say about an execution at this moment. */
export type ExecutionState =
  | { readonly phase: 'absent' }
  /** The folder is there, nobody has begun yet. */
  | { readonly phase: 'created' }
  | { readonly phase: 'running'; readonly shim: ProcessIdentity }
  | { readonly phase: 'ended'; readonly shim: ProcessIdentity | null; readonly exit: ExitRecord }
  | { readonly phase: 'not-started'; readonly reason: string }
  | { readonly phase: 'vanished'; readonly shim: ProcessIdentity };

export async function readState(folder: AttemptFolder): Promise<ExecutionState> {
  const shim = await folder.shim();
  const reason = shim === null ? await folder.startFailure() : null;
  if (reason !== null) return { phase: 'not-started', reason };
  const exit = await folder.exit();
  if (exit !== null) return { phase: 'ended', shim, exit };
  if (shim === null) return { phase: (await folder.record()) === null ? 'absent' : 'created' };
  if (await isAlive(shim)) return { phase: 'running', shim };
  const late = await folder.exit(); // written between the two looks
  return late === null ? { phase: 'vanished', shim } : { phase: 'ended', shim, exit: late };
}

export function isOver(state: ExecutionState): boolean {
  return state.phase !== 'created' && state.phase !== 'running';
}

/** The end as it is told to callers. */
export async function exitOf(folder: AttemptFolder, state: ExecutionState): Promise<Exit> {
  const kind = kindOf(state);
  const evidence = await evidenceOf(folder, kind);
  const times = state.phase === 'ended' ? state.exit : null;
  return {
    ...kind,
    evidence:
      state.phase === 'not-started' && state.reason !== '' ? { ...evidence, startFailed: state.reason } : evidence,
    startedAt: times === null ? null : new Date(times.startedAt).toISOString(),
    endedAt: times === null ? null : new Date(times.endedAt).toISOString(),
  };
}

function kindOf(state: ExecutionState): ExitKind {
  if (state.phase === 'not-started' && state.reason !== '') return { kind: 'exited', code: 127 };
  if (state.phase !== 'ended') return { kind: 'vanished' };
  const { code } = state.exit;
  // A shell reports "killed by signal n" as 128 + n; the contract gives no other meaning to those codes.
  const signal = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
  return signal === undefined ? { kind: 'exited', code } : { kind: 'signal', signal };
}

async function evidenceOf(folder: AttemptFolder, kind: ExitKind): Promise<Evidence> {
  const stops = await folder.stopRequests();
  const killedByUs = await folder.wasKilled();
  const record = await folder.record();
  const killedByOther = kind.kind === 'signal' && kind.signal === 'SIGKILL' && !killedByUs;
  const kernel = killedByOther && record !== null && (await kernelOutOfMemoryKills()) > record.outOfMemoryKills;
  return {
    ...NO_EVIDENCE,
    stopAsked: stops.has('asked'),
    timedOut: stops.has('deadline'),
    outOfMemory: stops.has('memory') || kernel,
    diskQuota: stops.has('disk'),
    tooManyProcesses: stops.has('processes'),
    silent: stops.has('silent'),
    killedByUs,
  };
}
