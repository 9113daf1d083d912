import type { Outcome, RunVerb } from '@trainyard/plugin-sdk';
import type { Work } from '../agent/agent.ts';
import type { Backend, Handle } from '../backends/backend.ts';
import type { SequencedEvent } from './event-sequence.ts';
import { observeExecution, type Observed } from './observe-execution.ts';
import { decideOutcome } from './outcome.ts';
import { ARTIFACT_LIMITS, ArtifactShipper, type ArtifactLimits } from './ship-artifacts.ts';
import { EVENT_SHIPPING, EventShipper, type EventShipping } from './ship-events.ts';
import { LOG_LIMITS, LogShipper, type LogLimits } from './ship-log.ts';

export interface ShippingRules {
  readonly events: EventShipping;
  readonly log: LogLimits;
  readonly artifacts: ArtifactLimits;
}
export const SHIPPING: ShippingRules = { events: EVENT_SHIPPING, log: LOG_LIMITS, artifacts: ARTIFACT_LIMITS };

export interface CarryOutOptions {
  readonly backend: Backend;
  readonly handle: Handle;
  readonly verb: RunVerb;
  readonly jobFolder: string;
  readonly rules?: ShippingRules;
  /** After a success and before the artifacts are sent: may add facts to the export's artifact, or turn the success into a failure. */
  readonly verify?: () => Promise<{ readonly meta: Record<string, unknown>; readonly failure: Outcome | null }>;
}

/**
 * One begun execution to its outcome: reads and sends what it says, passes stop requests on, takes what it leaves. Starts nothing, so it serves a
 * fresh execution and an adopted one alike: the marks of the hub say where to go on. Order at the end: streams, artifacts, checkpoints; then the
 * caller finishes. Throws only when the signal of the work fired.
 */
export async function carryOut(work: Work, options: CarryOutOptions): Promise<Outcome> {
  const { backend, handle, jobFolder } = options;
  const rules = options.rules ?? SHIPPING;
  const next = await work.hub.events(1, []);
  const nothing = new Uint8Array();
  const logs = {
    stdout: new LogShipper(work.hub, 'stdout', await work.hub.log('stdout', 0, nothing), rules.log),
    stderr: new LogShipper(work.hub, 'stderr', await work.hub.log('stderr', 0, nothing), rules.log),
  };
  const events = new EventShipper(work.hub, rules.events);
  const artifacts = new ArtifactShipper(work.hub, jobFolder, rules.artifacts);
  const unheard = stopWhenAsked(work, backend, handle);
  try {
    const listener = {
      event: async (event: SequencedEvent): Promise<void> => {
        // What the journal has may still wait to be collected after a restart.
        noticeArtifact(event, artifacts);
        if (!event.known) await events.push(event);
      },
      output: (stream: 'stdout' | 'stderr', position: number, bytes: Uint8Array) => logs[stream].push(position, bytes),
      end: () => events.drain(),
    };
    const observed = await observeExecution(backend, handle, listener, { next, signal: work.signal });
    await Promise.all([logs.stdout.finish(), logs.stderr.finish()]);
    await work.hub.phase({ phase: 'collecting' }).catch(() => undefined);
    return await collect(work, options, observed, artifacts);
  } finally {
    unheard();
  }
}

function noticeArtifact({ event }: SequencedEvent, artifacts: ArtifactShipper): void {
  if ('other' in event) return;
  if (event.type === 'checkpoint') artifacts.checkpoint(event);
  if (event.type === 'artifact') artifacts.artifact(event);
}

function stopWhenAsked(work: Work, backend: Backend, handle: Handle): () => void {
  return work.stop.listen((stop) => {
    void backend.stop(handle, stop.grace).catch((error: unknown) => {
      work.log.error({ attempt: work.attempt.id, error: String(error) }, 'the stop request could not be passed on');
    });
    void work.hub.phase({ phase: 'stopping' }).catch(() => undefined);
  });
}

async function collect(
  work: Work,
  options: CarryOutOptions,
  observed: Observed,
  artifacts: ArtifactShipper,
): Promise<Outcome> {
  const decided = decideOutcome({
    asked: work.stop.current?.what ?? null,
    exit: observed.exit,
    terminal: observed.terminal,
    terminals: observed.terminals,
    lastLines: observed.stderrTail,
  });
  const verified =
    decided.state === 'succeeded' && options.verify !== undefined
      ? await options.verify()
      : { meta: {}, failure: null };
  const outcome = verified.failure ?? decided;
  await artifacts.known('config', 'output/config.effective.json', 'application/json');
  await artifacts.known('metrics', 'output/metrics.json', 'application/json');
  await artifacts.known('predictions', 'output/predictions.jsonl', 'application/jsonl');
  // Named by the predictions of semantic tasks.
  await artifacts.known('image', 'output/masks', 'image/png', { title: 'Predicted masks' });
  if (options.verb === 'export' && decided.state === 'succeeded') {
    const taken = await artifacts.known('export', 'output/export', 'application/octet-stream', verified.meta);
    if (!taken && outcome.state === 'succeeded') return withNotes(nothingExported(), observed, artifacts);
  }
  const { missing } = await artifacts.finish();
  const complete: Outcome = missing.length === 0 ? outcome : { ...outcome, unclean: true };
  return withNotes(complete, observed, artifacts);
}

function nothingExported(): Outcome {
  return {
    state: 'failed',
    code: 'output.cannot_create',
    message: 'The trainer said it had finished but left no export that could be taken.',
    hint: 'An export lies in output/export/ as regular files.',
    exit: 0,
    retryable: false,
  };
}

/** Notes are for the author: they travel with the result. */
function withNotes(outcome: Outcome, observed: Observed, artifacts: ArtifactShipper): Outcome {
  const notes = [...observed.notes, ...artifacts.notes];
  if (notes.length === 0) return outcome;
  const result: unknown = outcome.result;
  const known = result !== null && typeof result === 'object' ? result : {};
  return { ...outcome, result: { ...known, notes } };
}
