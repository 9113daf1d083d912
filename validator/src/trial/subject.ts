import type { Manifest, TaskClaim } from '@trainyard/plugin-sdk';
import type { ConfigSchema, JsonObject } from '@trainyard/plugin-sdk/config';
import type { BuiltEnvironment } from '@trainyard/runner/work';

/** The trainer under test, for one of its tasks. */
export interface Subject {
  readonly manifest: Manifest;
  readonly configSchema: ConfigSchema;
  /** Extracted package. */
  readonly folder: string;
  readonly environment: BuiltEnvironment;
  readonly task: TaskClaim;
  readonly model: string;
  /** Settings that train quickly. */
  readonly quick: JsonObject;
  /** The same, but training goes on until it is stopped; null when the settings have no `epochs`. */
  readonly endless: JsonObject | null;
}

/** The model that stands for a task: the probe, else the first that is listed by name. */
export function probeModel(manifest: Manifest, task: string): string | null {
  const named = manifest.models.filter((model) => model.id !== undefined && model.tasks.includes(task));
  return (named.find((model) => model.probe === true) ?? named[0])?.id ?? null;
}
