/**
 * The words of Trainyard: what hub, runner, validator, site and trainers mean by the same names.
 * Trainer · Release · Manifest · Config schema · Preset · Capability · Verb · Task · Model · Run · Job · Attempt · Lease · Fence · Agent ·
 * Runner · Backend · Event · Metric · Series · Journal · Artifact · Checkpoint · Export · Dataset · Snapshot · Split · Check · Finding ·
 * Report · Verdict · Level · Problem. Their meaning is in docs/glossary.md.
 */
export * from './vocabulary.ts';
export * from './finding.ts';
export * from './problem.ts';
export * from './exit-codes.ts';
export * from './digest.ts';
export * from './ids.ts';
export * from './event.ts';
export * from './event-lines.ts';
export * from './job-spec.ts';
export * from './manifest.ts';
