import { describe } from 'node:test';
import { lifeCases } from './contract-life.ts';
import { limitCases } from './contract-limits.ts';
import { stopCases } from './contract-stop.ts';
import { streamCases } from './contract-streams.ts';
import type { MakeBackend } from './contract-bench.ts';

/** The suite every backend passes unchanged (runner.md §19), as far as a case concerns a backend alone. */
export function backendContract(name: string, make: MakeBackend): void {
  describe(`backend contract: ${name}`, () => {
    lifeCases(make);
    stopCases(make);
    limitCases(make);
    streamCases(make);
  });
}
