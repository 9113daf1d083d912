import type { RunInput } from '@trainyard/plugin-sdk/api';
import {
  presetValuesFor,
  resolveConfig,
  type Config,
  type ConfigSchema,
  type Preset,
} from '@trainyard/plugin-sdk/config';
import type { ReleaseRow } from '../../trainers/find-release.ts';
import type { RunDeps } from '../deps.ts';
import type { PresetEntry } from './choose-model.ts';
import type { Complaints } from './complaints.ts';
import type { ParentRow } from './read-parent.ts';

const DEFAULT_SEED = 42;

export interface Settings {
  readonly config: Record<string, unknown>;
  readonly digest: string;
  readonly seed: number;
}

/** The whole config: of the parent as it was, else defaults, preset and what was asked for. Unknown keys are refused, nothing is coerced. */
export async function resolveSettings(
  deps: RunDeps,
  release: ReleaseRow,
  task: string,
  preset: PresetEntry | null,
  input: RunInput,
  parent: ParentRow | null,
  complaints: Complaints,
): Promise<Settings> {
  if (parent !== null) return { config: parent.config, digest: parent.config_digest, seed: parent.seed };
  const schema = JSON.parse(release.config_schema) as ConfigSchema;
  const resolved = resolveConfig({
    schema,
    task,
    preset:
      preset === null
        ? null
        : { id: String(preset['id']), values: presetValuesFor(preset as unknown as Preset, schema, task) },
    values: (input.config ?? {}) as Config,
  });
  for (const problem of resolved.problems)
    complaints.add(problem.code, problem.message, problem.fix, { pointer: `/config${problem.pointer}` });
  const config = resolved.config as Record<string, unknown>;
  const checked = await deps.schemas.validateConfig(release.config_schema, task, resolved.config as Config);
  const known = new Set(resolved.problems.map((problem) => problem.pointer));
  for (const error of checked.errors.filter((item) => !known.has(item.pointer)))
    complaints.add('config.invalid', error.message, error.fix, { pointer: `/config${error.pointer}` });
  const seed = config['seed'];
  return { config, digest: resolved.digest, seed: typeof seed === 'number' ? seed : DEFAULT_SEED };
}
