/** Errors a trainer may end with. The class decides the exit code, the code says what went wrong, the hint how to mend it. */

export interface FailureOptions {
  /** How to mend it; names the key, path or nearest known value. */
  readonly hint?: string;
  /** Failure code of the contract; its part before the dot belongs to the exit code. */
  readonly code?: string;
  readonly cause?: unknown;
}

export class TrainerError extends Error {
  readonly exit: number;
  readonly code: string;
  readonly hint: string | undefined;

  constructor(exit: number, message: string, code: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exit = exit;
    this.code = options.code ?? code;
    this.hint = options.hint;
  }
}

export class UsageError extends TrainerError {
  constructor(message: string, options?: FailureOptions) {
    super(64, message, 'usage.arguments', options);
  }
}

export class DatasetError extends TrainerError {
  constructor(message: string, options?: FailureOptions) {
    super(65, message, 'dataset.format', options);
  }
}

export class InputError extends TrainerError {
  constructor(message: string, options?: FailureOptions) {
    super(66, message, 'input.checkpoint_missing', options);
  }
}

export class Unsupported extends TrainerError {
  constructor(message: string, options?: FailureOptions) {
    super(69, message, 'unsupported.combination', options);
  }
}

export class Diverged extends TrainerError {
  constructor(message: string, options?: FailureOptions) {
    super(76, message, 'diverged.nan', options);
  }
}

export class VerificationError extends TrainerError {
  constructor(message: string, options?: FailureOptions) {
    super(77, message, 'verification.parity', options);
  }
}

export class ConfigError extends TrainerError {
  constructor(message: string, options?: FailureOptions) {
    super(78, message, 'config.invalid', options);
  }
}

/** Thrown at a safe point after a stop was asked for; the SDK turns it into `stopped` and exit 75. Let it pass through. */
export class StopRequest extends Error {
  readonly reason: 'signal' | 'limit';

  constructor(reason: 'signal' | 'limit') {
    super(`The run was asked to stop (${reason}).`);
    this.reason = reason;
  }
}

const SYSTEM_ERRORS: Readonly<Record<string, { exit: number; code: string; hint: string }>> = {
  ENOSPC: { exit: 74, code: 'io.disk_full', hint: 'Free disk space or give the run a larger quota, then resume.' },
  EDQUOT: { exit: 74, code: 'io.disk_full', hint: 'Give the run a larger disk quota, then resume.' },
  EIO: { exit: 74, code: 'io.read', hint: 'Check the disk of this host.' },
  EACCES: {
    exit: 73,
    code: 'output.cannot_create',
    hint: 'The job folder must be writable for the user of the trainer.',
  },
  EPERM: {
    exit: 73,
    code: 'output.cannot_create',
    hint: 'The job folder must be writable for the user of the trainer.',
  },
  EROFS: {
    exit: 73,
    code: 'output.cannot_create',
    hint: 'output/ and checkpoints/ of the job folder must be writable.',
  },
};

function systemCodeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' ? code : '';
}

export interface Failure {
  readonly exit: number;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly detail?: string;
}

/** What the `failed` event says about any thrown value. */
export function failureOf(error: unknown): Failure {
  if (error instanceof TrainerError) {
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return { exit: error.exit, code: error.code, message: error.message, ...hint };
  }
  const known = SYSTEM_ERRORS[systemCodeOf(error)];
  const message = error instanceof Error ? error.message : String(error);
  const detail = (error instanceof Error ? (error.stack ?? message) : message).slice(0, 8000);
  if (known !== undefined) return { ...known, message: message.slice(0, 2000), detail };
  return { exit: 70, code: 'internal.exception', message: message.slice(0, 2000) || 'unknown error', detail };
}
