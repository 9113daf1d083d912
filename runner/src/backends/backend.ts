import type { JobKind, Offer, Verb } from '@trainyard/plugin-sdk';

/**
 * What carries out attempts: processes here, containers or a cluster elsewhere. Every backend passes testing/backend-contract.ts unchanged.
 *
 * An execution is the one thing outside that belongs to an attempt. It outlives the runner (except in the fake): whoever comes next finds it by
 * name with `find` or `start`, reads on from its own marks with `follow`, and learns the same end from `wait`.
 */

export const BACKEND_NAMES = ['process', 'fake'] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];

export interface WorkLimits {
  /** Memory of the whole process tree. */
  readonly memoryBytes: number;
  readonly maxSeconds: number;
  /** Checkpoints, output, temporary files and logs together. */
  readonly diskBytes: number;
  /** No event and no output for so long ends the execution. Absent: silence is allowed. */
  readonly silenceSeconds?: number;
  /** Processes and their children at once; the backend's own default when absent. */
  readonly processes?: number;
}

/** One attempt as data. Nothing in it is a function, a stream or a secret. */
export interface WorkSpec {
  /** Owner of everything made for it; `find` sees only its own installation. */
  readonly installation: string;
  readonly job: string;
  readonly attempt: number;
  readonly kind: JobKind;
  /** Two specs under one name with different digests are a conflict, never an adoption. */
  readonly specDigest: string;
  /** `executionName(job, attempt)` of plugin-sdk. */
  readonly name: string;
  /** Absolute; contents of the package's `package/` folder. Only read. */
  readonly packageFolder: string;
  /** Environment built for this release; null when it needs none. `python` in the entrypoint means this interpreter. */
  readonly environment: { readonly python?: string; readonly path: readonly string[] } | null;
  /** Exec form from trainer.yaml; `{package}` is replaced. The backend appends `<verb> --job <jobFolder>`. */
  readonly entrypoint: readonly string[];
  readonly verb: Verb;
  /** Absolute; made and filled by the caller before `start`, removed by the caller after `remove`. */
  readonly jobFolder: string;
  /** `uuids` are device ids out of an offer; empty for cpu. */
  readonly device: { readonly kind: 'cpu' | 'cuda'; readonly uuids: readonly string[] };
  readonly cpus: number;
  readonly limits: WorkLimits;
  /** Seconds between the first stop signal and the kill when a limit ends the execution. */
  readonly grace: number;
  /** `local.env` of trainer.yaml; `{package}` is replaced. Cannot change the variables of the contract. */
  readonly localEnv: Readonly<Record<string, string>>;
}

/** Names an execution. Only data: it may be stored and used by another runner. */
export interface Handle {
  readonly backend: BackendName;
  readonly installation: string;
  readonly name: string;
  readonly job: string;
  readonly attempt: number;
  readonly specDigest: string;
  /** Identity of what runs (boot id, pid and start ticks of a process); null while nothing has begun under this name. */
  readonly executionId: string | null;
}

export interface DeviceOffer {
  readonly kind: 'cpu' | 'cuda';
  readonly name: string;
  /** How many of them are free now. */
  readonly count: number;
  /** Ids of the free ones, for `WorkSpec.device.uuids`; empty for cpu. */
  readonly uuids: readonly string[];
}

/** An `Offer` of plugin-sdk, with the ids of the devices. */
export type BackendOffer = Omit<Offer, 'devices' | 'backend'> & {
  backend: BackendName;
  devices: DeviceOffer[];
};

export const OUTPUT_STREAMS = ['stdout', 'stderr', 'events'] as const;
export type OutputStream = (typeof OUTPUT_STREAMS)[number];

/** How far one stream was read. The generation rises when the trainer truncated or replaced the file; offsets then start at 0 again. */
export interface Mark {
  readonly offset: number;
  readonly generation: number;
}
export type Marks = { readonly [S in OutputStream]?: Mark };

/** A piece of one stream. `offset` is that of its first byte; the next mark is `offset + bytes.length`. Pieces end anywhere, also within a line or a character. */
export interface Output {
  readonly stream: OutputStream;
  readonly generation: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What the backend itself did or saw; stronger than the exit code. */
export interface Evidence {
  /** `stop` was called. */
  readonly stopAsked: boolean;
  readonly timedOut: boolean;
  readonly outOfMemory: boolean;
  readonly diskQuota: boolean;
  readonly tooManyProcesses: boolean;
  readonly silent: boolean;
  /** The kill was ours: a grace ran out, or a limit had to be enforced at once. */
  readonly killedByUs: boolean;
  /** The trainer never ran; the text of whoever refused it. */
  readonly startFailed?: string;
}

export type ExitKind =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  /** It is gone and nobody knows how it ended. */
  | { readonly kind: 'vanished' };

export type Exit = ExitKind & {
  readonly evidence: Evidence;
  /** ISO times by this machine's clock; null when never known. */
  readonly startedAt: string | null;
  readonly endedAt: string | null;
};

/**
 * Order: `start` before the others makes sense but is not required; every member accepts a name that never existed. All members may be called
 * at the same time and by several runners of one machine.
 */
export interface Backend {
  readonly name: BackendName;

  /** What may be claimed now, and in `notes` why something is not. Never throws. Ask as often as you like. */
  offers(): Promise<readonly BackendOffer[]>;

  /**
   * Idempotent by name. Nothing there: creates it. The same installation, job, attempt and digest there: adopts it, running or ended, and never
   * runs the trainer twice. Something else there: throws `Refused` with `platform.name_conflict`. Answers when the execution id is known. A
   * trainer that cannot be executed is no error here: `wait` tells it as `startFailed`.
   *
   * Throws `Refused` (final) or `Unavailable` (nothing was started; ask again later).
   */
  start(work: WorkSpec): Promise<Handle>;

  /** Every execution of the installation this backend was made for, running or ended, until `remove`. Limits of found ones go on being enforced. */
  find(): Promise<readonly Handle[]>;

  /**
   * All output from the marks on (absent: from the beginning), live, each stream in order; streams are independent and a flood in one does not
   * delay another. Ends when the execution ended and everything was read; ends at once for an unknown name. Never throws for a broken source.
   * May run several times side by side. Leaving the loop frees everything.
   */
  follow(handle: Handle, from?: Marks): AsyncIterable<Output>;

  /** The end with evidence. May be called many times, also after the end; answers `vanished` for an unknown name. Does not wait for followers. */
  wait(handle: Handle): Promise<Exit>;

  /**
   * SIGTERM once to the trainer's main process; after `grace` seconds SIGKILL to everything it started. Answers when the request is on record,
   * not when it ended. A second call sends no second signal but may shorten the grace. Before `start` answered: the trainer is stopped as soon
   * as it is there. No effect after the end and for unknown names.
   */
  stop(handle: Handle, grace: number): Promise<void>;

  /** Kills what still runs and leaves nothing of this name. Safe twice. Refuses (`Refused`) when the name now belongs to another execution id. */
  remove(handle: Handle): Promise<void>;
}

/** Final: asking again cannot help. The code becomes the failure code of the attempt. */
export class Refused extends Error {
  readonly code: 'platform.refused' | 'platform.name_conflict' | 'platform.start_failed';
  readonly hint: string;
  constructor(code: Refused['code'], message: string, hint: string) {
    super(message);
    this.name = 'Refused';
    this.code = code;
    this.hint = hint;
  }
}

/** Not now: nothing was started. The message is a sentence that may be shown as the reason for waiting. */
export class Unavailable extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'Unavailable';
  }
}

/** The handle of a piece of work that may not have been started yet, so that it can be stopped before `start` answered. */
export function handleOf(backend: BackendName, work: WorkSpec): Handle {
  const { installation, name, job, attempt, specDigest } = work;
  return { backend, installation, name, job, attempt, specDigest, executionId: null };
}

export const NO_EVIDENCE: Evidence = {
  stopAsked: false,
  timedOut: false,
  outOfMemory: false,
  diskQuota: false,
  tooManyProcesses: false,
  silent: false,
  killedByUs: false,
};

export interface BackendOptions {
  /** Folder of the backend; created when missing. Everything it keeps lies in there. */
  readonly root: string;
  readonly installation: string;
}
