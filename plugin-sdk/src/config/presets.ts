import type { Finding } from '../finding.ts';
import { DEVICES } from '../vocabulary.ts';
import { parseJsonText } from './json-profile.ts';
import { nearest } from './nearest.ts';
import { inScope, resolveValues } from './resolve.ts';
import { isObject, type ConfigSchema, type Json, type Preset } from './schema-shape.ts';

const FIELDS = ['id', 'title', 'description', 'tasks', 'devices', 'model', 'weights', 'values'];
const MAX_PRESETS = 50;

function presetFinding(pointer: string, message: string, fix: string): Finding {
  return { check: 'presets-valid', severity: 'error', where: { file: 'presets.json', pointer }, message, fix };
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string');
}

function isValues(value: unknown): value is Record<string, Json> {
  // Parsed from JSON text, so that every member is JSON.
  return isObject(value);
}

/** Reads presets.json and judges its form; whether values fit the schema is checkPresets' and the worker's part. */
export function parsePresets(text: string): { presets: Preset[] } | { findings: Finding[] } {
  const check = 'presets-valid';
  const profile = { file: 'presets.json', depth: 16, nodes: 5000, check, deepCheck: 'json-too-deep', nameCheck: check };
  const parsed = parseJsonText(text, profile);
  if ('findings' in parsed) return parsed;
  if (!Array.isArray(parsed.value) || parsed.value.length === 0 || parsed.value.length > MAX_PRESETS) {
    return {
      findings: [
        presetFinding('', `presets.json is not a list of 1 to ${MAX_PRESETS} presets.`, 'Begin with "balanced".'),
      ],
    };
  }
  const findings: Finding[] = [];
  const presets: Preset[] = [];
  const ids = new Set<string>();
  parsed.value.forEach((item: unknown, i) => {
    const preset = readPreset(item, `/${i}`, findings);
    if (preset === null) return;
    if (ids.has(preset.id)) {
      findings.push(presetFinding(`/${i}/id`, `The preset "${preset.id}" stands twice.`, 'Rename one of the two.'));
    }
    ids.add(preset.id);
    presets.push(preset);
  });
  const first = presets[0];
  if (findings.length === 0 && (first?.id !== 'balanced' || Object.keys(first.values).length > 0)) {
    findings.push(
      presetFinding(
        '/0',
        'The first preset is not "balanced" without values.',
        'Begin with {"id": "balanced", …, "values": {}}.',
      ),
    );
  }
  return findings.length > 0 ? { findings } : { presets };
}

function readPreset(item: unknown, pointer: string, findings: Finding[]): Preset | null {
  if (!isObject(item)) {
    findings.push(
      presetFinding(pointer, 'A preset is not an object.', 'Write {"id", "title", "description", "values"}.'),
    );
    return null;
  }
  const before = findings.length;
  for (const key of Object.keys(item)) {
    if (FIELDS.includes(key) || key.startsWith('x-')) continue;
    const near = nearest(key, FIELDS);
    const fix = near === null ? `Known fields: ${FIELDS.join(', ')}.` : `Did you mean "${near}"?`;
    findings.push(presetFinding(pointer, `A preset has the unknown field "${key.slice(0, 80)}".`, fix));
  }
  const { id, title, description, tasks, devices, model, weights, values } = item;
  const idFits = typeof id === 'string' && /^[a-z0-9][a-z0-9-]{0,63}$/.test(id);
  if (!idFits) findings.push(presetFinding(`${pointer}/id`, 'The id is not a short name.', 'Use a-z, 0-9 and "-".'));
  const titleFits = typeof title === 'string' && title.length > 0 && title.length <= 60;
  if (!titleFits)
    findings.push(presetFinding(`${pointer}/title`, 'The title is missing or too long.', 'Write 1 to 60 characters.'));
  const descriptionFits = typeof description === 'string' && description.length > 0 && description.length <= 300;
  if (!descriptionFits) {
    findings.push(
      presetFinding(`${pointer}/description`, 'The description is missing or too long.', 'Write 1 to 300 characters.'),
    );
  }
  const valuesFit = isValues(values);
  if (!valuesFit)
    findings.push(presetFinding(`${pointer}/values`, 'values is not an object.', 'Write {} or settings.'));
  for (const [name, list] of [
    ['tasks', tasks],
    ['devices', devices],
  ] as const) {
    if (list !== undefined && !isNames(list)) {
      findings.push(
        presetFinding(`${pointer}/${name}`, `${name} is not a list of names.`, 'Leave it out to mean all.'),
      );
    }
  }
  for (const [name, word] of [
    ['model', model],
    ['weights', weights],
  ] as const) {
    if (word !== undefined && typeof word !== 'string') {
      findings.push(presetFinding(`${pointer}/${name}`, `${name} is not a text.`, 'Write the id, or leave it out.'));
    }
  }
  if (findings.length > before || !idFits || !titleFits || !descriptionFits || !valuesFit) return null;
  return {
    id,
    title,
    description,
    ...(isNames(tasks) ? { tasks } : {}),
    ...(isNames(devices) ? { devices } : {}),
    ...(typeof model === 'string' ? { model } : {}),
    ...(typeof weights === 'string' ? { weights } : {}),
    values,
  };
}

/** The tasks a preset is offered for. */
export function presetTasks(preset: Preset, tasks: readonly string[]): readonly string[] {
  return preset.tasks ?? tasks;
}

export interface PresetContext {
  readonly tasks: readonly string[];
  /** Model ids of the manifest; null when a family is open, so that any name may be meant. */
  readonly models: readonly string[] | null;
}

/** Names in presets exist: settings, tasks, devices, models. A setting must exist for at least one task the preset is offered for. */
export function checkPresets(presets: readonly Preset[], schema: ConfigSchema, context: PresetContext): Finding[] {
  const findings: Finding[] = [];
  presets.forEach((preset, i) => {
    const offered = presetTasks(preset, context.tasks);
    for (const task of offered) {
      if (context.tasks.includes(task)) continue;
      findings.push(
        presetFinding(`/${i}/tasks`, `"${task}" is no task of this trainer.`, `Tasks: ${context.tasks.join(', ')}.`),
      );
    }
    for (const device of preset.devices ?? []) {
      if (DEVICES.some((known) => known === device)) continue;
      findings.push(presetFinding(`/${i}/devices`, `"${device}" is no device.`, `Devices: ${DEVICES.join(', ')}.`));
    }
    if (preset.model !== undefined && context.models !== null && !context.models.includes(preset.model)) {
      const near = nearest(preset.model, context.models);
      const fix = near === null ? 'Name a model of trainer.yaml.' : `Did you mean "${near}"?`;
      findings.push(presetFinding(`/${i}/model`, `"${preset.model}" is no model of this trainer.`, fix));
    }
    findings.push(...valueProblems(preset, i, schema, offered));
  });
  return findings;
}

function valueProblems(preset: Preset, i: number, schema: ConfigSchema, offered: readonly string[]): Finding[] {
  const findings: Finding[] = [];
  for (const key of Object.keys(preset.values)) {
    const property = Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
    if (property !== undefined && offered.some((task) => inScope(property, task))) continue;
    const task = offered[0] ?? '';
    const [problem] = resolveValues({ schema, task, values: { [key]: null } }).problems;
    const message = `The preset "${preset.id}" sets "${key}". ${problem?.message ?? 'It is no setting.'}`;
    findings.push(presetFinding(`/${i}/values/${key}`, message, problem?.fix ?? 'Remove it.'));
  }
  return findings;
}

/** Values of a preset that exist for one task: a preset for all tasks may hold settings of some. */
export function presetValuesFor(preset: Preset, schema: ConfigSchema, task: string): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(preset.values).filter(([key]) => {
      const property = Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
      return property === undefined || inScope(property, task);
    }),
  );
}
