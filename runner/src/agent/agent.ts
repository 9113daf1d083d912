import type { JobKind, LeaseTimings, Offer, Outcome } from '@trainyard/plugin-sdk';
import type { ClaimedAttempt } from '@trainyard/plugin-sdk/api';
import { attemptHubOver, type AttemptHub } from './attempt-hub.ts';
import { openAttemptRecords, type AttemptRecords } from './attempt-records.ts';
import type { Clock } from './clock.ts';
import type { AttemptKey, HubPort } from './hub-port.ts';
import type { Log } from './log.ts';
import { isSuperseded } from './retry.ts';
import { StopRequests } from './stop-requests.ts';

/** Why the signal of a work fired: another attempt has taken over, or this agent ends and somebody adopts the work later. */
export type WorkEnd = 'superseded' | 'agent-ending';

/** One attempt in the hands of a handler. */
export interface Work {
  readonly attempt: ClaimedAttempt;
  readonly hub: AttemptHub;
  readonly stop: StopRequests;
  /** Fires with a `WorkEnd` as reason. On `superseded` the handler stops and removes what it started; on `agent-ending` it lets go. */
  readonly signal: AbortSignal;
  /** Execution recorded by an earlier life of this agent, or by another agent; null when nothing was begun. */
  readonly execution: string | null;
  /** Durable before it answers. */
  remember(execution: string): Promise<void>;
  /** Runs after the outcome was accepted or the attempt was superseded: the place to remove executions and folders. Never on `agent-ending`. */
  whenOver(clean: () => Promise<void>): void;
  readonly log: Log;
}

/** Answers the outcome; throws only when the signal fired. Called again with the same attempt after a restart of the agent. */
export type Handler = (work: Work) => Promise<Outcome>;

export interface AgentPlan {
  /** Stable name of this agent. */
  readonly agent: string;
  readonly kinds: readonly JobKind[];
  readonly slots: number;
  /** Kinds with a number of their own, so that long work of one kind never keeps another waiting. Others may use all slots. */
  readonly slotsOf?: Partial<Record<JobKind, number>>;
  readonly offers: () => Promise<readonly Offer[]>;
  /** Package digests whose environments are ready here. */
  readonly ready: () => Promise<readonly string[]>;
  readonly handlers: Partial<Record<JobKind, Handler>>;
  /** Folder of the records from which a restarted agent goes on. */
  readonly records: string;
}

export interface AgentDeps {
  readonly hub: HubPort;
  readonly clock: Clock;
  readonly log: Log;
  readonly timings: LeaseTimings;
}

const FIRST_WAIT = 200;

interface Held {
  claimed: ClaimedAttempt;
  readonly stop: StopRequests;
  readonly end: AbortController;
  done: Promise<void>;
}

/**
 * Claims, works, reports, until the signal fires. Then it lets go at once: executions go on outside and the records bring them back at the next
 * start. Lives through a hub that is away: work goes on, every call is repeated, and claiming begins again by itself.
 */
export async function runAgent(deps: AgentDeps, plan: AgentPlan, signal: AbortSignal): Promise<void> {
  const records = openAttemptRecords(plan.records);
  const held = new Map<string, Held>();
  const wake = new EventTarget();

  const take = (claimed: ClaimedAttempt, execution: string | null): void => {
    const known = held.get(claimed.id);
    if (known !== undefined) {
      known.claimed = claimed;
      return;
    }
    const entry: Held = {
      claimed,
      stop: new StopRequests(),
      end: new AbortController(),
      done: Promise.resolve(),
    };
    held.set(claimed.id, entry);
    entry.done = handle(deps, plan, records, entry, execution).finally(() => {
      held.delete(claimed.id);
      wake.dispatchEvent(new Event('free'));
    });
  };

  for (const record of await records.list()) {
    deps.log.info({ attempt: record.claimed.id, execution: record.execution }, 'going on with an attempt');
    take(record.claimed, record.execution);
  }
  const loops = [
    renewForEver(deps, plan, held, signal),
    hearSignals(deps, plan, held, signal),
    claimForEver(deps, plan, held, wake, signal, async (claimed) => {
      const earlier = (await records.list()).find((record) => record.claimed.id === claimed.id);
      const execution = claimed.execution ?? earlier?.execution ?? null;
      await records.write({ claimed, execution });
      take(claimed, execution);
    }),
  ];
  await Promise.all(loops);
  for (const entry of held.values()) entry.end.abort('agent-ending' satisfies WorkEnd);
  await Promise.all([...held.values()].map((entry) => entry.done));
}

async function handle(
  deps: AgentDeps,
  plan: AgentPlan,
  records: AttemptRecords,
  entry: Held,
  execution: string | null,
): Promise<void> {
  const { log } = deps;
  const { signal } = entry.end;
  const { id } = entry.claimed;
  const key = (): AttemptKey => ({ attempt: id, fence: entry.claimed.fence });
  const hub = attemptHubOver(deps.hub, key, { clock: deps.clock, log, signal });
  const cleanings: (() => Promise<void>)[] = [];
  // A superseded attempt makes every call fail for good; its own controller lets the handler hear it as the same abort as from a renewal.
  const superseded = new AbortController();
  const workSignal = AbortSignal.any([signal, superseded.signal]);
  const work: Work = {
    attempt: entry.claimed,
    hub: refusedAsAbort(hub, superseded),
    stop: entry.stop,
    signal: workSignal,
    execution,
    log,
    remember: (known) => records.write({ claimed: entry.claimed, execution: known }),
    whenOver: (clean) => void cleanings.push(clean),
  };
  try {
    const outcome = await outcomeOf(plan, work);
    if (outcome !== null) await hub.finish(outcome);
    if (outcome !== null) log.info({ attempt: id, outcome: outcome.state, code: outcome.code }, 'finished');
  } catch (error) {
    if (!signal.aborted && !isSuperseded(error))
      log.error({ attempt: id, error: String(error) }, 'the outcome was refused by the hub');
  }
  if (signal.aborted && signal.reason === ('agent-ending' satisfies WorkEnd)) return;
  for (const clean of cleanings.reverse())
    await clean().catch((error: unknown) =>
      log.warn({ attempt: id, error: String(error) }, 'something could not be removed'),
    );
  await records.remove(id);
}

async function outcomeOf(plan: AgentPlan, work: Work): Promise<Outcome | null> {
  const kind = work.attempt.spec.kind;
  const handler = plan.handlers[kind];
  if (handler === undefined) {
    return { state: 'failed', code: 'platform.refused', message: `This agent carries out no work of kind ${kind}` };
  }
  try {
    const outcome = await handler(work);
    return work.signal.aborted ? null : outcome;
  } catch (error) {
    if (work.signal.aborted) return null;
    work.log.error(
      { attempt: work.attempt.id, error: error instanceof Error ? error.stack : String(error) },
      'a handler broke',
    );
    return { state: 'lost', code: 'platform.lost', message: `The runner failed: ${String(error)}` };
  }
}

/** Turns `attempt-superseded`, from whichever call hears it first, into the abort of the work. */
function refusedAsAbort(hub: AttemptHub, superseded: AbortController): AttemptHub {
  const watch = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      if (isSuperseded(error)) superseded.abort('superseded' satisfies WorkEnd);
      throw error;
    }
  };
  return {
    begin: (execution) => watch(hub.begin(execution)),
    phase: (report) => watch(hub.phase(report)),
    events: (firstSeq, lines) => watch(hub.events(firstSeq, lines)),
    log: (stream, offset, bytes) => watch(hub.log(stream, offset, bytes)),
    artifact: (announcement) => watch(hub.artifact(announcement)),
    finish: (outcome) => watch(hub.finish(outcome)),
    download: (url) => hub.download(url),
    upload: (url, bytes, body) => hub.upload(url, bytes, body),
  };
}

async function renewForEver(
  deps: AgentDeps,
  plan: AgentPlan,
  held: Map<string, Held>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const keys = [...held.values()].map(({ claimed }) => ({ attempt: claimed.id, fence: claimed.fence }));
    // Also with nothing held: the hub learns which of its attempts this agent has forgotten.
    try {
      for (const renewal of await deps.hub.renew(plan.agent, keys, signal)) {
        const entry = held.get(renewal.attempt);
        const asked = keys.find((key) => key.attempt === renewal.attempt);
        // An answer to an older fence says nothing about the one that was given since.
        if (entry === undefined || entry.claimed.fence !== asked?.fence) continue;
        if (renewal.answer === 'gone') entry.end.abort('superseded' satisfies WorkEnd);
        if (renewal.answer === 'stop' && renewal.stop !== undefined) entry.stop.ask(renewal.stop);
      }
    } catch (error) {
      if (!signal.aborted) deps.log.debug({ error: String(error) }, 'leases could not be renewed');
    }
    await deps.clock.sleep(deps.timings.renew * 1000 * (0.8 + Math.random() * 0.4), signal);
  }
}

async function hearSignals(
  deps: AgentDeps,
  plan: AgentPlan,
  held: Map<string, Held>,
  signal: AbortSignal,
): Promise<void> {
  let wait = 200;
  while (!signal.aborted) {
    try {
      for await (const message of await deps.hub.signals(plan.agent, signal)) {
        wait = 200;
        held.get(message.data.attempt)?.stop.ask(message.data.stop);
      }
    } catch (error) {
      if (!signal.aborted) deps.log.debug({ error: String(error) }, 'the stream of stop requests broke');
    }
    await deps.clock.sleep(wait, signal);
    wait = Math.min(wait * 2, 5000);
  }
}

function freeKinds(plan: AgentPlan, held: ReadonlyMap<string, Held>): JobKind[] {
  if (held.size >= plan.slots) return [];
  const count = (kind: JobKind): number =>
    [...held.values()].filter(({ claimed }) => claimed.spec.kind === kind).length;
  return plan.kinds.filter((kind) => count(kind) < (plan.slotsOf?.[kind] ?? plan.slots));
}

async function claimForEver(
  deps: AgentDeps,
  plan: AgentPlan,
  held: Map<string, Held>,
  wake: EventTarget,
  signal: AbortSignal,
  take: (claimed: ClaimedAttempt) => Promise<void>,
): Promise<void> {
  let wait = FIRST_WAIT;
  while (!signal.aborted) {
    const kinds = freeKinds(plan, held);
    if (kinds.length === 0) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          wake.removeEventListener('free', go);
          signal.removeEventListener('abort', go);
          resolve();
        };
        wake.addEventListener('free', go);
        signal.addEventListener('abort', go);
        if (freeKinds(plan, held).length > 0 || signal.aborted) go();
      });
      continue;
    }
    try {
      const [offers, ready] = await Promise.all([plan.offers(), plan.ready()]);
      // One at a time where kinds have numbers of their own: an answer of several could be all of one kind.
      const slots = plan.slotsOf === undefined ? plan.slots - held.size : 1;
      const ask = { agent: plan.agent, kinds, offers, ready, slots, waitSeconds: deps.timings.claimWait };
      for (const claimed of await deps.hub.claim(ask, signal)) await take(claimed);
      wait = FIRST_WAIT;
    } catch (error) {
      if (signal.aborted) return;
      // Once per absence: a hub that is away for hours must not fill the log.
      if (wait === FIRST_WAIT) deps.log.warn({ error: String(error) }, 'no work could be claimed, asking again');
      await deps.clock.sleep(wait, signal);
      wait = Math.min(wait * 2, 5000);
    }
  }
}
