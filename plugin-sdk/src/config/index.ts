/** The settings of trainers: dialect, presets, resolution, and the worker that runs untrusted schemas. */
export * from './pure.ts';
export { checkDialect, parseConfigSchema, SCHEMA_LIMITS } from './dialect.ts';
export { matchesPattern, patternProblem } from './linear-pattern.ts';
export { resolveConfig, type ResolvedConfig } from './resolve-config.ts';
export * from './presets.ts';
export * from './ui-check.ts';
export { MAX_CONFIG_BYTES, SchemaWorkerPool, type ConfigError, type SchemaWorkerOptions } from './schema-worker.ts';
