/** What one part of the tests came to. `failures` and `skips` name the tests so that the end of the output says it all. */
export interface Tally {
  passed: number;
  failed: number;
  readonly failures: string[];
  readonly skips: Skip[];
}

export interface Skip {
  readonly name: string;
  readonly reason: string;
}

export function emptyTally(): Tally {
  return { passed: 0, failed: 0, failures: [], skips: [] };
}

export function addTally(total: Tally, part: Tally): void {
  total.passed += part.passed;
  total.failed += part.failed;
  total.failures.push(...part.failures);
  total.skips.push(...part.skips);
}

/** A whole part that could not run: one skip, with the reason. */
export function skippedPart(name: string, reason: string): Tally {
  console.log(`\n── ${name}: skipped, ${reason}`);
  return { ...emptyTally(), skips: [{ name, reason }] };
}
