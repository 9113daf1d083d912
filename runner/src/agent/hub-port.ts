import {
  beginAttempt,
  claimJobs,
  finishAttempt,
  registerArtifact,
  renewLeases,
  reportEvents,
  reportLog,
  reportPhase,
  streamSignals,
  type ArtifactKind,
  type ClaimedAttempt,
  type LiveMessage,
  type StopAsked,
} from '@trainyard/plugin-sdk/api';
import type { HubClient } from '@trainyard/plugin-sdk/client';
import {
  Problem,
  type AttemptPhase,
  type JobKind,
  type FileEntry,
  type Offer,
  type Outcome,
} from '@trainyard/plugin-sdk';

export interface ClaimAsk {
  readonly agent: string;
  readonly kinds: readonly JobKind[];
  readonly offers: readonly Offer[];
  readonly slots: number;
  readonly waitSeconds: number;
  readonly ready: readonly string[];
}
/** Which attempt, and the fence that proves it is still ours. */
export interface AttemptKey {
  readonly attempt: string;
  readonly fence: number;
}
export interface Renewal {
  readonly attempt: string;
  readonly answer: 'ok' | 'gone' | 'stop';
  readonly stop?: StopAsked;
}
export interface StopSignal {
  readonly attempt: string;
  readonly stop: StopAsked;
}
export interface PhaseReport {
  readonly phase: AttemptPhase;
  readonly sentence?: string;
  readonly progress?: number;
  readonly stages?: readonly unknown[];
  readonly findings?: readonly unknown[];
}
export type LogStream = 'stdout' | 'stderr';
export interface ArtifactAnnouncement {
  readonly kind: ArtifactKind;
  readonly path: string;
  readonly mediaType: string;
  readonly sha256: string;
  readonly files: readonly FileEntry[];
  readonly meta: Readonly<Record<string, unknown>>;
}
export interface ArtifactAnswer {
  readonly recorded: boolean;
  readonly artifact: string | null;
  readonly missing: readonly { readonly sha256: string; readonly url: string }[];
}

/**
 * The nine calls an agent makes, and the two byte transfers to signed addresses. Every call may be repeated: `events`, `log` and `finish` are
 * at-least-once and the hub keeps each thing once. One call at a time per attempt and stream; different attempts and streams may overlap.
 * Failures are `Problem`: `attempt-superseded` is final for the attempt, `unavailable` means ask again later.
 */
export interface HubPort {
  /** Long poll of at most `waitSeconds`; answers up to `slots` attempts. */
  claim(ask: ClaimAsk, signal: AbortSignal): Promise<readonly ClaimedAttempt[]>;
  /** The same execution twice is fine; another one is refused with `attempt-superseded`. */
  begin(key: AttemptKey, execution: string, signal: AbortSignal): Promise<void>;
  renew(agent: string, attempts: readonly AttemptKey[], signal: AbortSignal): Promise<readonly Renewal[]>;
  signals(agent: string, signal: AbortSignal): Promise<AsyncIterable<LiveMessage<StopSignal>>>;
  /** The last one wins. */
  phase(key: AttemptKey, report: PhaseReport, signal: AbortSignal): Promise<void>;
  /** Answers the next seq the hub wants; with no lines it only answers. Refused with `events-gap` (extra.next) after a hole. */
  events(key: AttemptKey, firstSeq: number, lines: readonly string[], signal: AbortSignal): Promise<number>;
  /** Answers how many bytes the hub has. Refused with `log-gap` (extra.acked) after a hole. */
  log(key: AttemptKey, stream: LogStream, offset: number, bytes: Uint8Array, signal: AbortSignal): Promise<number>;
  /** Answers where to put missing files; called again after the upload it records the artifact. */
  artifact(key: AttemptKey, announcement: ArtifactAnnouncement, signal: AbortSignal): Promise<ArtifactAnswer>;
  /** The last write of an attempt; the same fence twice is the same answer. */
  finish(key: AttemptKey, outcome: Outcome, signal: AbortSignal): Promise<void>;

  download(url: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  upload(url: string, bytes: number, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

/** The port over HTTP. */
export function hubPortOver(client: HubClient): HubPort {
  const params = (key: AttemptKey) => ({ attempt: key.attempt });
  return {
    async claim(ask, signal) {
      const body = { ...ask, kinds: [...ask.kinds], offers: [...ask.offers], ready: [...ask.ready] };
      return (await client.call(claimJobs, { body }, { signal })).attempts;
    },
    async begin(key, execution, signal) {
      await client.call(beginAttempt, { params: params(key), body: { fence: key.fence, execution } }, { signal });
    },
    async renew(agent, attempts, signal) {
      const body = { agent, attempts: attempts.map(({ attempt, fence }) => ({ attempt, fence })) };
      return (await client.call(renewLeases, { body }, { signal })).attempts;
    },
    signals: (agent, signal) => client.call(streamSignals, { params: { agent } }, { signal }),
    async phase(key, report, signal) {
      const { stages, findings, ...rest } = report;
      const body = {
        fence: key.fence,
        ...rest,
        ...(rest.sentence === undefined ? {} : { sentence: rest.sentence.slice(0, 500) }),
        ...(stages === undefined ? {} : { stages: [...stages] }),
        ...(findings === undefined ? {} : { findings: [...findings] }),
      };
      await client.call(reportPhase, { params: params(key), body }, { signal });
    },
    async events(key, firstSeq, lines, signal) {
      const body = { fence: key.fence, firstSeq, lines: [...lines] };
      return (await client.call(reportEvents, { params: params(key), body }, { signal })).next;
    },
    async log(key, stream, offset, bytes, signal) {
      const query = { fence: key.fence, stream, offset };
      return (await client.call(reportLog, { params: params(key), query, body: once(bytes) }, { signal })).acked;
    },
    artifact: (key, announcement, signal) =>
      client.call(
        registerArtifact,
        {
          params: params(key),
          body: {
            fence: key.fence,
            ...announcement,
            files: [...announcement.files],
            meta: { ...announcement.meta },
          },
        },
        { signal },
      ),
    async finish(key, outcome, signal) {
      await client.call(finishAttempt, { params: params(key), body: { fence: key.fence, outcome } }, { signal });
    },
    async download(url, signal) {
      const response = await client.request(url, { signal });
      if (!response.ok || response.body === null) throw await transferProblem('download', response);
      return response.body;
    },
    async upload(url, bytes, body, signal) {
      const response = await client.request(url, {
        method: 'PUT',
        headers: { 'content-length': String(bytes), 'content-type': 'application/octet-stream' },
        body: bodyOf(body),
        signal,
      });
      if (!response.ok) throw await transferProblem('upload', response);
      await response.body?.cancel();
    },
  };
}

function bodyOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const step = await iterator.next();
      if (step.done === true) controller.close();
      else controller.enqueue(new Uint8Array(step.value));
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}

async function transferProblem(what: string, response: Response): Promise<Problem> {
  const text = (await response.text()).slice(0, 200);
  const detail = `The ${what} was refused: ${response.status} ${text}`;
  if (response.status >= 500) return new Problem('unavailable', { detail });
  if (response.status === 410 || response.status === 403) return new Problem('link-expired', { detail });
  if (response.status === 404) return new Problem('not-found', { detail });
  if (response.status === 413) return new Problem('too-large', { detail });
  return new Problem('bad-request', { detail });
}
