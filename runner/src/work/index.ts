export { carryOut, SHIPPING, type CarryOutOptions, type ShippingRules } from './carry-out.ts';
export { runVerb, type LocalJob, type RunVerbOptions, type RunVerbResult } from './run-verb.ts';
export { openPackageStore, BadPackage, type Download, type PackageStore } from './package-store.ts';
export { openDatasetStore, BadDataset, type DatasetStore } from './dataset-store.ts';
export { decideOutcome, type EndEvidence, type TerminalEvent } from './outcome.ts';
export { buildJobFile, type JobFileInput } from './job-file.ts';
export { buildWorkSpec, type BuiltEnvironment, type StartableManifest, type StartOptions } from './work-spec.ts';
export { openOutput, digestOutput, readOutputTree, RefusedOutput, MissingOutput } from './output-file.ts';
