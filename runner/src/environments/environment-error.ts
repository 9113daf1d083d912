/** Building an environment failed. Becomes the failure of the attempt with this code. */
export class EnvironmentError extends Error {
  readonly code = 'platform.environment';
  readonly hint: string;
  /** The last lines of the tool, at most 50. */
  readonly lines: readonly string[];

  constructor(message: string, hint: string, lines: readonly string[] = []) {
    super(message);
    this.name = 'EnvironmentError';
    this.hint = hint;
    this.lines = lines;
  }
}

const NO_NETWORK =
  /dns error|failed to lookup address|network is unreachable|connection refused|could not connect|name or service not known|temporary failure in name resolution|error sending request|operation timed out|network (connectivity )?(is|was) disabled|tcp connect error|max retries exceeded|newconnectionerror/i;

/** Turns the output of the tool into a sentence and a way to mend it. */
export function explainFailure(release: string, lines: readonly string[]): EnvironmentError {
  const text = lines.join('\n');
  if (NO_NETWORK.test(text)) {
    return new EnvironmentError(
      `The Python packages of ${release} could not be downloaded: no network.`,
      `While online, run: trainyard prepare ${release}`,
      lines,
    );
  }
  if (/hash mismatch|do not match the hashes|hash.*required|require.hashes/i.test(text)) {
    return new EnvironmentError(
      `A Python package of ${release} is not the one that was locked.`,
      'The index offers other bytes than the lock file names. Nothing was installed; tell the author of the trainer.',
      lines,
    );
  }
  if (/no space left on device/i.test(text)) {
    return new EnvironmentError(
      `The disk is full: the Python packages of ${release} need more room.`,
      'Free some disk space and try again.',
      lines,
    );
  }
  return new EnvironmentError(
    `The Python environment of ${release} could not be built.`,
    'The last lines of the installer say why.',
    lines,
  );
}
