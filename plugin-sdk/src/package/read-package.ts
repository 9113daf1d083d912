import {
  indexWithDigests,
  PACKAGE_LIMITS,
  REQUIRED_FILES,
  type ArchiveLimits,
  type TarEntry,
  type TarIndex,
} from '../archive/index.ts';
import { parseConfigSchema } from '../config/dialect.ts';
import { parseJsonText } from '../config/json-profile.ts';
import { checkPresets, parsePresets, presetTasks, presetValuesFor } from '../config/presets.ts';
import { defaultsFor } from '../config/resolve.ts';
import { resolveConfig } from '../config/resolve-config.ts';
import { isObject, type ConfigSchema, type Preset } from '../config/schema-shape.ts';
import type { ConfigError, SchemaWorkerPool } from '../config/schema-worker.ts';
import { checkUi } from '../config/ui-check.ts';
import type { Digest } from '../digest.ts';
import type { Finding } from '../finding.ts';
import { checkManifest, manifestDigest, parseManifest, type Manifest } from '../manifest.ts';
import { inStageOrder } from './check-stages.ts';
import { checkSecrets } from './secret-check.ts';

export interface ReadPackageOptions {
  readonly schemas: SchemaWorkerPool;
  /** What the request claims; must equal the package. */
  readonly expected?: { readonly name?: string; readonly version?: string };
  readonly limits?: ArchiveLimits;
}

export interface PackageContent {
  readonly manifest: Manifest;
  readonly manifestDigest: Digest;
  readonly configSchema: ConfigSchema;
  readonly configSchemaText: string;
  readonly presets: readonly Preset[];
  readonly readme: string;
  readonly changelog: string | null;
  readonly packageJson: Readonly<Record<string, unknown>>;
  readonly entries: readonly TarEntry[];
}

export interface PackageReading {
  /** In the order of stages and checks; empty or without errors = acceptable. */
  readonly findings: readonly Finding[];
  readonly sha256: Digest;
  /** As npm spells it: `sha512-<base64>`. */
  readonly sha512: string;
  readonly packedBytes: number;
  /** Null when a file is missing or cannot be read; there may be errors beside a content. */
  readonly content: PackageContent | null;
}

/**
 * The one reading of a package: hub intake, CLI and validator call it, so they cannot disagree. One pass over the bytes, nothing written, nothing of
 * the package executed outside the schema workers. Throws only when the source itself fails.
 */
export async function readPackage(
  bytes: AsyncIterable<Uint8Array>,
  options: ReadPackageOptions,
): Promise<PackageReading> {
  const { digests, result } = await indexWithDigests(bytes, options.limits ?? PACKAGE_LIMITS);
  if ('findings' in result) return { findings: result.findings, ...digests, content: null };
  const { findings, content } = await readIndexed(result.index, options);
  return { findings: inStageOrder(findings), ...digests, content };
}

async function readIndexed(
  index: TarIndex,
  options: ReadPackageOptions,
): Promise<{ findings: Finding[]; content: PackageContent | null }> {
  const { texts, entries } = index;
  const missing = REQUIRED_FILES.filter((file) => !texts.has(file));
  const findings = missing.map((file) => missingFile(file));
  const text = (file: string): string => texts.get(file) ?? '';
  const has = (file: string): boolean => texts.has(file);

  const packageJson = has('package.json') ? readPackageJson(text('package.json'), findings) : null;
  const parsed = has('trainer.yaml') ? collect(parseManifest(text('trainer.yaml')), findings) : null;
  const schema = has('config.schema.json') ? collect(parseConfigSchema(text('config.schema.json')), findings) : null;
  const presets = has('presets.json') ? collect(parsePresets(text('presets.json')), findings) : null;

  if (parsed !== null) {
    const { manifest, lines } = parsed;
    findings.push(
      ...checkManifest(manifest, {
        packageJson: packageJson ?? {},
        configSchema: schema?.schema ?? null,
        presets: presets?.presets ?? null,
        lines,
        ...(options.expected === undefined ? {} : { expected: options.expected }),
        ...(has('README.md') ? { readme: text('README.md') } : {}),
        changelog: texts.get('CHANGELOG.md') ?? null,
        ...(has('LICENSE') ? { licenceText: text('LICENSE') } : {}),
      }),
      ...checkPaths(manifest, entries),
    );
  }
  findings.push(...checkSecrets(texts));
  if (schema !== null) {
    const schemaText = text('config.schema.json');
    const compile = await options.schemas.checkSchema(schemaText);
    findings.push(...compile);
    if (compile.length === 0 && parsed !== null) {
      const values = new ValueChecks(schema.schema, schemaText, parsed.manifest, options.schemas);
      findings.push(...(await values.run(presets?.presets ?? [])));
    }
  }
  if (packageJson === null || parsed === null || schema === null || presets === null || missing.length > 0) {
    return { findings, content: null };
  }
  const content: PackageContent = {
    manifest: parsed.manifest,
    manifestDigest: manifestDigest(parsed.manifest),
    configSchema: schema.schema,
    configSchemaText: text('config.schema.json'),
    presets: presets.presets,
    readme: text('README.md'),
    changelog: texts.get('CHANGELOG.md') ?? null,
    packageJson,
    entries,
  };
  return { findings, content };
}

function missingFile(file: string): Finding {
  const check = file === 'README.md' ? 'readme-present' : 'archive-layout';
  return {
    check,
    severity: 'error',
    where: { file },
    message: `The package has no ${file}.`,
    fix: `Add ${file}: a package holds ${REQUIRED_FILES.join(', ')}.`,
  };
}

function collect<T extends object>(result: T | { findings: Finding[] }, findings: Finding[]): T | null {
  if (!('findings' in result)) return result;
  findings.push(...result.findings);
  return null;
}

function readPackageJson(text: string, findings: Finding[]): Record<string, unknown> | null {
  const check = 'manifest-invalid';
  const profile = { file: 'package.json', depth: 16, nodes: 5000, check, deepCheck: 'json-too-deep', nameCheck: check };
  const parsed = collect(parseJsonText(text, profile), findings);
  if (parsed === null) return null;
  if (isObject(parsed.value)) return parsed.value;
  const message = 'package.json is not an object.';
  findings.push({ check, severity: 'error', where: { file: 'package.json' }, message, fix: 'Write {"name": …}.' });
  return null;
}

/** Paths of the manifest that must lie in the package; schema and presets have fixed names (contract.md §2). */
function checkPaths(manifest: Manifest, entries: readonly TarEntry[]): Finding[] {
  const files = new Set(entries.filter((entry) => entry.kind === 'file').map((entry) => entry.path));
  const findings: Finding[] = [];
  const report = (pointer: string, message: string, fix: string): void => {
    findings.push({
      check: 'manifest-invalid',
      severity: 'error',
      where: { file: 'trainer.yaml', pointer },
      message,
      fix,
    });
  };
  for (const [key, fixed] of [
    ['schema', 'config.schema.json'],
    ['presets', 'presets.json'],
  ] as const) {
    if (manifest.config[key] !== fixed) report(`/config/${key}`, `config.${key} is not ${fixed}.`, `Write ${fixed}.`);
  }
  for (const key of ['icon', 'changelog', 'guide'] as const) {
    const path = manifest[key];
    if (path !== undefined && !files.has(path))
      report(`/${key}`, `The package has no ${path}.`, 'Add the file or remove the line.');
  }
  return findings;
}

/** Checks that run the schema, in the worker. */
class ValueChecks {
  readonly #schema: ConfigSchema;
  readonly #schemaText: string;
  readonly #manifest: Manifest;
  readonly #schemas: SchemaWorkerPool;

  constructor(schema: ConfigSchema, schemaText: string, manifest: Manifest, schemas: SchemaWorkerPool) {
    this.#schema = schema;
    this.#schemaText = schemaText;
    this.#manifest = manifest;
    this.#schemas = schemas;
  }

  async run(presets: readonly Preset[]): Promise<Finding[]> {
    const tasks = this.#manifest.tasks.map((task) => task.id);
    const open = this.#manifest.models.some((model) => model.pattern !== undefined);
    const models = open ? null : this.#manifest.models.flatMap((model) => model.id ?? []);
    return [
      ...(await this.#defaults(tasks)),
      ...(await this.#options()),
      ...checkPresets(presets, this.#schema, { tasks, models }),
      ...(await this.#presets(presets, tasks)),
      ...checkUi(this.#schema, tasks),
    ];
  }

  async #defaults(tasks: readonly string[]): Promise<Finding[]> {
    const findings: Finding[] = [];
    for (const task of tasks) {
      const { errors } = await this.#schemas.validateConfig(this.#schemaText, task, defaultsFor(this.#schema, task));
      for (const error of errors) {
        // A default that is wrong for one task is mostly wrong for all.
        if (findings.some((known) => known.evidence === error.fix && known.where?.pointer === defaultPointer(error)))
          continue;
        findings.push({
          check: 'defaults-valid',
          severity: 'error',
          where: { file: 'config.schema.json', pointer: defaultPointer(error) },
          message: `The defaults are not valid for the task ${task}: ${error.message}`,
          evidence: error.fix,
          fix: 'Change the default, or the bounds and conditions around it.',
        });
      }
    }
    return findings;
  }

  async #options(): Promise<Finding[]> {
    const findings: Finding[] = [];
    for (const pointer of new Set((this.#manifest.exports ?? []).flatMap((claim) => claim.options ?? []))) {
      const name = pointer.split('/').at(-1) ?? '';
      const definition = this.#schema.$defs?.[name];
      if (definition === undefined) continue;
      const defaults = Object.fromEntries(
        Object.entries(definition.properties ?? {}).flatMap(([key, property]) =>
          property.default === undefined ? [] : [[key, property.default]],
        ),
      );
      const { errors } = await this.#schemas.validateOptions(this.#schemaText, pointer, defaults);
      for (const error of errors) {
        findings.push({
          check: 'defaults-valid',
          severity: 'error',
          where: { file: 'config.schema.json', pointer: `/$defs/${name}${error.pointer}` },
          message: `The default export options are not valid: ${error.message}`,
          evidence: error.fix,
          fix: 'Change the default or its bounds.',
        });
      }
    }
    return findings;
  }

  async #presets(presets: readonly Preset[], tasks: readonly string[]): Promise<Finding[]> {
    const findings: Finding[] = [];
    for (const [i, preset] of presets.entries()) {
      for (const task of presetTasks(preset, tasks)) {
        if (!tasks.includes(task)) continue;
        const values = presetValuesFor(preset, this.#schema, task);
        const { config } = resolveConfig({ schema: this.#schema, task, preset: { id: preset.id, values }, values: {} });
        const { errors } = await this.#schemas.validateConfig(this.#schemaText, task, config);
        // What the defaults alone get wrong has its own finding.
        const own = errors.filter(
          (error) => Object.hasOwn(values, error.pointer.split('/')[1] ?? '') || error.pointer === '',
        );
        for (const error of own) {
          findings.push({
            check: 'presets-valid',
            severity: 'error',
            where: { file: 'presets.json', pointer: `/${i}/values${error.pointer}` },
            message: `The preset "${preset.id}" is not valid for the task ${task}: ${error.message}`,
            fix: error.fix,
          });
        }
      }
    }
    return findings;
  }
}

function defaultPointer(error: ConfigError): string {
  const name = error.pointer.split('/')[1];
  return name === undefined ? '' : `/properties/${name}/default`;
}
