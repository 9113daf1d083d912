/** One table: exit code ⇄ failure code prefix ⇄ whether a new attempt starts by itself (contract.md §5.6). */

export type RetryRule = 'never' | 'once' | 'twice' | 'vanished';

export const EXIT = {
  finished: 0,
  usage: 64,
  dataset: 65,
  input: 66,
  unsupported: 69,
  internal: 70,
  resource: 71,
  output: 73,
  io: 74,
  stopped: 75,
  diverged: 76,
  verification: 77,
  config: 78,
} as const;

const PREFIX_OF_EXIT: Readonly<Record<number, string>> = {
  64: 'usage',
  65: 'dataset',
  66: 'input',
  69: 'unsupported',
  70: 'internal',
  71: 'resource',
  73: 'output',
  74: 'io',
  76: 'diverged',
  77: 'verification',
  78: 'config',
};

/** Failure codes a trainer may report; the part before the dot decides the exit code. */
export const FAILURE_CODES = [
  'usage.arguments',
  'usage.contract',
  'dataset.missing',
  'dataset.format',
  'dataset.empty_split',
  'dataset.class_mismatch',
  'dataset.label_range',
  'dataset.corrupt_image',
  'dataset.no_labels',
  'input.weights_missing',
  'input.checkpoint_missing',
  'input.digest_mismatch',
  'input.checkpoint_incompatible',
  'unsupported.task',
  'unsupported.model',
  'unsupported.format',
  'unsupported.precision',
  'unsupported.device',
  'unsupported.combination',
  'internal.exception',
  'internal.protocol',
  'resource.gpu_oom',
  'resource.ram_oom',
  'resource.shm_small',
  'resource.driver',
  'resource.device_lost',
  'output.cannot_create',
  'io.disk_full',
  'io.read',
  'io.write',
  'diverged.nan',
  'verification.parity',
  'verification.accuracy_drop',
  'verification.unloadable',
  'verification.selftest',
  'config.invalid',
  'config.unknown_key',
  'config.conflict',
] as const;

/** Codes only the runner sets, from its own evidence. */
export const PLATFORM_CODES = [
  'platform.killed',
  'platform.timeout',
  'platform.silent',
  'platform.lost',
  'platform.preempted',
  'platform.vanished',
  'platform.refused',
  'platform.name_conflict',
  'platform.start_failed',
  'platform.disk_quota',
  'platform.environment',
  'platform.crash_loop',
] as const;

export function failurePrefixOf(exit: number): string | null {
  return PREFIX_OF_EXIT[exit] ?? null;
}

/** Failure code that stands for an exit when the trainer said nothing more exact. */
export function defaultFailureCode(exit: number): string {
  const prefix = failurePrefixOf(exit);
  return FAILURE_CODES.find((code) => code.startsWith(`${prefix}.`)) ?? 'internal.exception';
}

/** May the hub start a new attempt by itself after this failure? Disruptions (`stopped: preempted`) are counted apart. */
export function retryRuleOf(failureCode: string): RetryRule {
  if (failureCode === 'resource.device_lost' || failureCode === 'resource.driver') return 'twice';
  if (failureCode.startsWith('output.') || failureCode.startsWith('io.')) return 'once';
  if (failureCode === 'platform.silent') return 'once';
  if (['platform.vanished', 'platform.lost', 'platform.killed'].includes(failureCode)) return 'vanished';
  return 'never';
}

/** Tries that a rule allows beyond the first attempt. */
export const RETRY_BUDGET: Readonly<Record<RetryRule, number>> = { never: 0, once: 1, twice: 2, vanished: 3 };
