export * from './backend-contract.ts';
export * from './contract-bench.ts';
export * from './trainer-script.ts';
export type { FakeAttempt, FakeJob } from './fake-attempt.ts';
export { FakeHub } from './fake-hub.ts';
