import type { Outcome } from '@trainyard/plugin-sdk';
import type { Clock } from './clock.ts';
import type { ArtifactAnnouncement, ArtifactAnswer, AttemptKey, HubPort, LogStream, PhaseReport } from './hub-port.ts';
import type { Log } from './log.ts';
import { untilHubAnswers } from './retry.ts';

/**
 * The calls of one attempt. Each waits out a hub that is away; what is thrown is final: `attempt-superseded`, a refusal, or the abort of the
 * attempt. The fence is read at each call, because a hub that offers the attempt again gives it a new one.
 */
export interface AttemptHub {
  begin(execution: string): Promise<void>;
  /** Waits for an absent hub only with `running`, which moves the job; any other phase is replaced by the next. */
  phase(report: PhaseReport): Promise<void>;
  events(firstSeq: number, lines: readonly string[]): Promise<number>;
  log(stream: LogStream, offset: number, bytes: Uint8Array): Promise<number>;
  artifact(announcement: ArtifactAnnouncement): Promise<ArtifactAnswer>;
  finish(outcome: Outcome): Promise<void>;
  download(url: string): Promise<AsyncIterable<Uint8Array>>;
  /** The body is made anew for each try. */
  upload(url: string, bytes: number, body: () => AsyncIterable<Uint8Array>): Promise<void>;
}

export function attemptHubOver(
  port: HubPort,
  key: () => AttemptKey,
  options: { clock: Clock; log: Log; signal: AbortSignal },
): AttemptHub {
  const { signal, clock, log } = options;
  const onWait = (error: unknown, milliseconds: number): void =>
    log.debug({ attempt: key().attempt, error: String(error), milliseconds }, 'the hub is away, asking again');
  const patiently = <T>(call: () => Promise<T>): Promise<T> => untilHubAnswers(call, { clock, signal, onWait });
  return {
    begin: (execution) => patiently(() => port.begin(key(), execution, signal)),
    phase(report) {
      const call = (): Promise<void> => port.phase(key(), report, signal);
      return report.phase === 'running' ? patiently(call) : call();
    },
    events: (firstSeq, lines) => patiently(() => port.events(key(), firstSeq, lines, signal)),
    log: (stream, offset, bytes) => patiently(() => port.log(key(), stream, offset, bytes, signal)),
    artifact: (announcement) => patiently(() => port.artifact(key(), announcement, signal)),
    finish: (outcome) => patiently(() => port.finish(key(), outcome, signal)),
    download: (url) => patiently(() => port.download(url, signal)),
    upload: (url, bytes, body) => patiently(() => port.upload(url, bytes, body(), signal)),
  };
}
