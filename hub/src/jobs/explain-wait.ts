import type { WaitReason } from '@trainyard/plugin-sdk/api';

/** Pure: why a job is not running, in one sentence (runner.md §7). */
export interface WaitFacts {
  readonly kind: string;
  readonly state: string;
  readonly hold: string | null;
  readonly device: string;
  readonly ahead: number;
  /** Seconds until it may be claimed, when it waits after a failure. */
  readonly backOffSeconds: number;
  readonly createdAt: string;
  readonly agents: readonly {
    readonly id: string;
    readonly kinds: readonly string[];
    readonly devices: readonly string[];
    /** All it offers is behind a wall. */
    readonly walled: boolean;
    readonly silentSeconds: number;
  }[];
  /** Of the open attempt: phase, its own sentence, seconds its lease is over. */
  readonly attempt: { readonly phase: string; readonly sentence: string | null; readonly silentSeconds: number } | null;
}

const AGENT_SILENT_SECONDS = 60;

export function explainWait(facts: WaitFacts): WaitReason | null {
  const since = facts.createdAt;
  if (facts.attempt !== null && (facts.state === 'claimed' || facts.state === 'running')) {
    if (facts.attempt.silentSeconds > 0) {
      return {
        code: 'runner.silent',
        sentence: `Its runner has not answered for ${Math.round(facts.attempt.silentSeconds)} s; training may go on.`,
        since,
      };
    }
    if (facts.attempt.phase === 'running' || facts.attempt.phase === 'ended') return null;
    return { code: `phase.${facts.attempt.phase}`, sentence: facts.attempt.sentence ?? 'Getting ready.', since };
  }
  if (facts.state !== 'queued') return null;
  const capable = facts.agents.filter(
    (agent) => agent.kinds.includes(facts.kind) && (facts.device === 'cpu' || agent.devices.includes(facts.device)),
  );
  const isAlive = (agent: WaitFacts['agents'][number]): boolean => agent.silentSeconds < AGENT_SILENT_SECONDS;
  const needsWall = facts.hold === 'approval';
  if (needsWall && !capable.some((agent) => agent.walled && isAlive(agent))) {
    const sentence = capable.some(isAlive)
      ? 'Waiting for an administrator to approve this package: only a runner without a wall is here.'
      : 'Waiting for a runner with a wall, or for an administrator to approve this package.';
    return { code: 'queue.not_allowed', sentence, since };
  }
  if (facts.hold !== null && !needsWall) return { code: 'queue.held', sentence: 'Held by an administrator.', since };
  if (facts.backOffSeconds > 0)
    return {
      code: 'queue.backoff',
      sentence: `The next attempt starts in ${Math.ceil(facts.backOffSeconds)} s.`,
      since,
    };
  const able = capable.filter((agent) => agent.walled || !needsWall);
  const alive = able.filter(isAlive);
  if (alive.length === 0) {
    const last = able.toSorted((a, b) => a.silentSeconds - b.silentSeconds)[0];
    const who = facts.kind === 'validate' || facts.kind === 'prove' ? 'validator' : 'runner';
    const what = facts.device === 'cpu' ? `No ${who} is connected` : `No runner offers ${facts.device}`;
    return {
      code: 'queue.no_runner',
      sentence:
        last === undefined
          ? `${what}.`
          : `${what}; last seen ${Math.round(last.silentSeconds / 60)} min ago: ${last.id}.`,
      since,
    };
  }
  if (facts.ahead === 0) return { code: 'queue.next', sentence: 'Next in the queue.', since };
  return {
    code: 'queue.position',
    sentence: facts.ahead === 1 ? 'One job is ahead.' : `${facts.ahead} jobs are ahead.`,
    since,
  };
}
