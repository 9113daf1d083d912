export * from './backend-contract.ts';
export * from './contract-bench.ts';
export * from './trainer-script.ts';
