import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TrainerError } from './errors.ts';
import { isObject, listAt, objectAt, textAt, textsAt, type JsonObject } from './json-value.ts';
import { parseYaml } from './yaml-profile.ts';

export interface ManifestModel {
  readonly id: string;
  readonly tasks: readonly string[];
}

export interface ExportClaim {
  readonly format: string;
  readonly tasks: readonly string[];
  readonly models: readonly string[];
  readonly precisions: readonly string[];
  readonly dynamic: readonly string[];
  readonly optionsSchema: JsonObject | null;
}

/** The package around a trainer: manifest, config schema and presets, read once at start. */
export interface TrainerPackage {
  readonly folder: string;
  readonly manifest: JsonObject;
  readonly schema: JsonObject;
  readonly presets: readonly unknown[];
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly tasks: ReadonlyMap<
    string,
    { readonly datasets: readonly string[]; readonly primary: string; readonly minimised: ReadonlySet<string> }
  >;
  readonly models: readonly ManifestModel[];
  readonly exports: readonly ExportClaim[];
  readonly devices: readonly string[];
}

export function readPackage(manifestUrl: URL): TrainerPackage {
  const path = fileURLToPath(manifestUrl);
  const folder = dirname(path);
  const manifest = parsed('trainer.yaml', () => parseYaml(readFileSync(path, 'utf8')));
  if (!isObject(manifest)) throw broken('trainer.yaml', 'it is not a mapping');
  const config = objectAt(manifest, 'config');
  const schema = readJson(folder, textAt(config, 'schema') ?? 'config.schema.json');
  const presets = readJson(folder, textAt(config, 'presets') ?? 'presets.json');
  if (!isObject(schema)) throw broken('the config schema', 'it is not an object');
  if (!Array.isArray(presets)) throw broken('the presets file', 'it is not a list');
  return {
    folder,
    manifest,
    schema,
    presets,
    name: textAt(manifest, 'name') ?? '',
    version: textAt(manifest, 'version') ?? '',
    license: textAt(manifest, 'license') ?? '',
    tasks: new Map(listAt(manifest, 'tasks').map((task) => [textAt(task, 'id') ?? '', taskOf(task)])),
    models: listAt(manifest, 'models').map((model) => ({
      id: textAt(model, 'id') ?? '',
      tasks: textsAt(model, 'tasks'),
    })),
    exports: listAt(manifest, 'exports').map((claim) => claimOf(claim, schema)),
    devices: textsAt(objectAt(manifest, 'capabilities'), 'devices'),
  };
}

function taskOf(task: unknown): { datasets: string[]; primary: string; minimised: Set<string> } {
  const metrics = objectAt(task, 'metrics');
  const primary = textAt(metrics, 'primary') ?? '';
  const minimised = new Set(['loss', 'box_loss', 'cls_loss', 'dfl_loss', 'seg_loss', 'pose_loss', 'kobj_loss']);
  if (textAt(metrics, 'direction') === 'min') minimised.add(primary);
  for (const entry of listAt(metrics, 'declared')) {
    if (textAt(entry, 'direction') === 'min') minimised.add(textAt(entry, 'name') ?? '');
  }
  return { datasets: textsAt(task, 'datasets'), primary, minimised };
}

function claimOf(claim: unknown, schema: JsonObject): ExportClaim {
  const pointer = textAt(claim, 'options')?.replace('#/$defs/', '');
  return {
    format: textAt(claim, 'format') ?? '',
    tasks: textsAt(claim, 'tasks'),
    models: textsAt(claim, 'models'),
    precisions: textsAt(claim, 'precisions'),
    dynamic: textsAt(claim, 'dynamic'),
    optionsSchema: pointer === undefined ? null : objectAt(objectAt(schema, '$defs'), pointer),
  };
}

function readJson(folder: string, path: string): unknown {
  return parsed(path, (): unknown => JSON.parse(readFileSync(join(folder, path), 'utf8')));
}

function parsed(what: string, read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    throw broken(what, error instanceof Error ? error.message : String(error));
  }
}

function broken(what: string, why: string): TrainerError {
  return new TrainerError(70, `The package cannot be read: ${what}: ${why}.`, 'internal.exception', {
    hint: 'Install the package again.',
  });
}

/** Document that `describe` prints. The image block is left out: an image cannot hold its own digest. */
export function describeDocument(
  trainer: TrainerPackage,
  models: readonly unknown[],
  versions: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const { image: _image, ...manifest } = trainer.manifest;
  return { manifest, models, configSchema: trainer.schema, presets: trainer.presets, versions };
}
