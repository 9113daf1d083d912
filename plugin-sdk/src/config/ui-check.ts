import type { Finding } from '../finding.ts';
import { nearest } from './nearest.ts';
import { isObject, type ConfigSchema, type ConfigSubschema } from './schema-shape.ts';

const WIDGETS = ['slider', 'number', 'select', 'switch', 'text', 'tags', 'seed', 'range'];
const SCALES = ['linear', 'log', 'pow2'];
const KEYS = ['group', 'order', 'widget', 'advanced', 'unit', 'scale', 'step', 'help', 'placeholder', 'when', 'i18n'];
const MAX_FIRST = 8;

function warning(pointer: string, message: string, fix: string): Finding {
  return { check: 'x-ui-known', severity: 'warning', where: { file: 'config.schema.json', pointer }, message, fix };
}

/** How the form will look: unknown words, undeclared groups, a first step with too many fields. Warnings only; validity is never touched. */
export function checkUi(schema: ConfigSchema, tasks: readonly string[]): Finding[] {
  const findings: Finding[] = [];
  const groups = readGroups(schema, findings);
  for (const [name, property] of Object.entries(schema.properties)) {
    const pointer = `/properties/${name}`;
    for (const task of property['x-tasks'] ?? []) {
      if (tasks.includes(task)) continue;
      const fix = `Tasks: ${tasks.join(', ')}.`;
      findings.push(warning(`${pointer}/x-tasks`, `"${task}" is no task of this trainer.`, fix));
    }
    if (property.title === undefined) {
      findings.push(warning(pointer, `The setting "${name}" has no title.`, 'Add "title": what a person reads.'));
    }
    const ui: unknown = property['x-ui'];
    if (isObject(ui)) checkField(ui, `${pointer}/x-ui`, property, schema, groups, findings);
  }
  return [...findings, ...firstStep(schema, tasks, groups)];
}

function readGroups(schema: ConfigSchema, findings: Finding[]): string[] {
  const ui: unknown = schema['x-ui'];
  const list = isObject(ui) ? ui['groups'] : undefined;
  if (list === undefined) return [];
  if (!Array.isArray(list)) {
    findings.push(warning('/x-ui/groups', 'groups is not a list.', 'Write [{"id": "basic", "title": "Basics"}].'));
    return [];
  }
  const ids: string[] = [];
  list.forEach((group: unknown, i) => {
    if (isObject(group) && typeof group['id'] === 'string' && typeof group['title'] === 'string') ids.push(group['id']);
    else findings.push(warning(`/x-ui/groups/${i}`, 'A group has no id or title.', 'Give it both.'));
  });
  return ids;
}

function checkField(
  ui: Record<string, unknown>,
  pointer: string,
  property: ConfigSubschema,
  schema: ConfigSchema,
  groups: readonly string[],
  findings: Finding[],
): void {
  for (const key of Object.keys(ui)) {
    if (KEYS.includes(key)) continue;
    const near = nearest(key, KEYS);
    const fix = near === null ? `Known: ${KEYS.join(', ')}.` : `Did you mean "${near}"?`;
    findings.push(warning(`${pointer}/${key}`, `x-ui has no "${key.slice(0, 80)}".`, fix));
  }
  const oneOf = (key: string, words: readonly string[]): void => {
    const word = ui[key];
    if (word === undefined || (typeof word === 'string' && words.includes(word))) return;
    findings.push(warning(`${pointer}/${key}`, `The ${key} is not known.`, `Known: ${words.join(', ')}.`));
  };
  oneOf('widget', WIDGETS);
  oneOf('scale', SCALES);
  if (groups.length > 0) oneOf('group', groups);
  const fits = (key: string, accepts: (value: unknown) => boolean, fix: string): void => {
    if (ui[key] !== undefined && !accepts(ui[key]))
      findings.push(warning(`${pointer}/${key}`, `The ${key} does not fit.`, fix));
  };
  fits('order', Number.isInteger, 'Write a whole number.');
  fits('advanced', (value) => typeof value === 'boolean', 'Write true or false.');
  fits('unit', (value) => typeof value === 'string' && value.length <= 12, 'Write at most 12 characters.');
  fits('step', (value) => typeof value === 'number' && value > 0, 'Write a number above 0.');
  fits('help', (value) => typeof value === 'string' && value.length <= 600, 'Write at most 600 characters.');
  fits('placeholder', (value) => typeof value === 'string', 'Write a text.');
  const low = property['exclusiveMinimum'] ?? property['minimum'];
  if (
    ui['scale'] === 'log' &&
    !(typeof low === 'number' && (low > 0 || (low === 0 && 'exclusiveMinimum' in property)))
  ) {
    findings.push(
      warning(`${pointer}/scale`, 'A log scale needs a minimum above 0.', 'Raise the minimum or use linear.'),
    );
  }
  for (const sibling of Object.keys(isObject(ui['when']) ? ui['when'] : {})) {
    if (Object.hasOwn(schema.properties, sibling)) continue;
    findings.push(
      warning(`${pointer}/when`, `when names "${sibling}", which is no setting.`, 'Name a setting of this schema.'),
    );
  }
}

function firstStep(schema: ConfigSchema, tasks: readonly string[], groups: readonly string[]): Finding[] {
  const first = groups[0];
  if (first === undefined) return [];
  const findings: Finding[] = [];
  for (const task of tasks) {
    const fields = Object.values(schema.properties).filter(
      (property) =>
        (property['x-ui']?.group ?? 'basic') === first &&
        property['x-ui']?.advanced !== true &&
        (property['x-tasks'] === undefined || property['x-tasks'].includes(task)),
    );
    if (fields.length <= MAX_FIRST) continue;
    const message = `The first step of the form has ${fields.length} fields for ${task}; ${MAX_FIRST} are readable.`;
    findings.push(warning('/x-ui/groups/0', message, 'Move some into another group.'));
  }
  return findings;
}
