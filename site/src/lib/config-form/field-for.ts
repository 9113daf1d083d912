/** Schema node → what the form draws. Pure; the dialect is contract.md §4 (as the hub hands it out, already checked). */

export type ConfigValue = unknown;
export type ConfigValues = Readonly<Record<string, ConfigValue>>;
type Node = Readonly<Record<string, unknown>>;

export type FieldKind = 'number' | 'switch' | 'select' | 'text' | 'list' | 'range' | 'choices' | 'json';

export interface Choice {
  readonly value: ConfigValue;
  readonly title: string;
}

export interface FormField {
  readonly key: string;
  readonly title: string;
  readonly help: string;
  readonly group: string;
  readonly order: number;
  readonly advanced: boolean;
  readonly kind: FieldKind;
  readonly default: ConfigValue;
  readonly integer: boolean;
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly step: number | undefined;
  readonly unit: string;
  readonly slider: boolean;
  readonly scale: 'linear' | 'log' | 'pow2';
  /** `null` is allowed, and this is what it means. */
  readonly nullMeans: string | undefined;
  /** Constants besides the number (`auto`), or the options of a select. */
  readonly choices: readonly Choice[];
  /** Items of a list are numbers. */
  readonly numericItems: boolean;
  readonly maxLength: number | undefined;
  readonly when: readonly { readonly key: string; readonly rule: Node }[];
}

export interface FormGroup {
  readonly id: string;
  readonly title: string;
  readonly collapsed: boolean;
  readonly fields: readonly FormField[];
}

function asNode(value: unknown): Node {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}
function asNodes(value: unknown): Node[] {
  return Array.isArray(value) ? value.map(asNode) : [];
}
function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
function words(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : typeof value === 'string' ? [value] : [];
}

/** Follows `$ref` to `#/$defs/…`; annotations beside the reference win. */
function resolve(node: Node, root: Node): Node {
  const ref = text(node['$ref']);
  if (ref === undefined) return node;
  const target = asNode(asNode(root['$defs'])[ref.replace('#/$defs/', '')]);
  return { ...resolve(target, root), ...node };
}

function titleOf(value: ConfigValue): string {
  if (value === null) return '–';
  const plain = String(value).replaceAll('_', ' ');
  return typeof value === 'string' && /^[a-z]/.test(plain) ? plain.charAt(0).toUpperCase() + plain.slice(1) : plain;
}

/** One property as the form draws it. */
export function fieldFor(key: string, raw: Node, root: Node, firstGroup: string): FormField {
  const node = resolve(raw, root);
  const ui = asNode(node['x-ui']);
  const branches = [...asNodes(node['oneOf']), ...asNodes(node['anyOf'])].map((branch) => resolve(branch, root));
  const constants = branches
    .filter((branch) => 'const' in branch)
    .map((branch) => ({ value: branch['const'], title: text(branch['title']) ?? titleOf(branch['const']) }));
  const typed = branches.filter((branch) => 'type' in branch && branch['type'] !== 'null');
  const body = typed[0] === undefined ? node : { ...node, ...typed[0] };
  const types = words(body['type']);
  const nullable =
    types.includes('null') ||
    words(node['type']).includes('null') ||
    branches.some((branch) => branch['type'] === 'null') ||
    constants.some((choice) => choice.value === null) ||
    (Array.isArray(node['enum']) && node['enum'].includes(null)) ||
    node['default'] === null;
  const type = types.find((name) => name !== 'null');
  const listed = Array.isArray(node['enum'])
    ? node['enum']
        .filter((value: unknown) => value !== null)
        .map((value: unknown) => ({ value, title: titleOf(value) }))
    : [];
  const choices = [...constants.filter((choice) => choice.value !== null), ...listed];
  const items = resolve(asNode(body['items']), root);
  const prefix = asNodes(body['prefixItems']);
  const numericItems = ['number', 'integer'].includes(words(items['type'] ?? prefix[0]?.['type'])[0] ?? '');

  function kindOf(): FieldKind {
    if (type === 'integer' || type === 'number') return listed.length > 0 ? 'select' : 'number';
    if (choices.length > 0 && type !== 'array') return 'select';
    if (type === 'boolean') return 'switch';
    if (type === 'string') return 'text';
    if (type === 'array') {
      if (Array.isArray(items['enum'])) return 'choices';
      if (
        ui['widget'] === 'range' ||
        (numericItems && (prefix.length === 2 || (body['minItems'] === 2 && body['maxItems'] === 2)))
      )
        return 'range';
      return numericItems || words(items['type'])[0] === 'string' ? 'list' : 'json';
    }
    return 'json';
  }
  const kind = kindOf();
  const minimum = number(body['minimum']) ?? number(body['exclusiveMinimum']) ?? number(items['minimum']);
  const maximum = number(body['maximum']) ?? number(body['exclusiveMaximum']) ?? number(items['maximum']);
  const scale = ui['scale'] === 'log' || ui['scale'] === 'pow2' ? ui['scale'] : 'linear';
  const wantsSlider = ui['widget'] === 'slider' || (ui['widget'] === undefined && scale !== 'linear');
  return {
    key,
    title: text(node['title']) ?? titleOf(key),
    help: [text(node['description']), text(ui['help'])].filter((line) => line !== undefined && line !== '').join(' '),
    group: text(ui['group']) ?? firstGroup,
    order: number(ui['order']) ?? 1000,
    advanced: ui['advanced'] === true,
    kind,
    default: node['default'],
    integer: type === 'integer',
    minimum,
    maximum,
    step: number(ui['step']) ?? number(body['multipleOf']) ?? (type === 'integer' ? 1 : undefined),
    unit: text(ui['unit']) ?? '',
    slider:
      kind === 'number' &&
      wantsSlider &&
      minimum !== undefined &&
      maximum !== undefined &&
      (scale === 'linear' || (maximum > 0 && (minimum > 0 || body['exclusiveMinimum'] !== undefined))),
    scale,
    nullMeans: nullable ? (text(ui['placeholder']) ?? '') : undefined,
    choices:
      kind === 'choices'
        ? Array.isArray(items['enum'])
          ? items['enum'].map((value: unknown) => ({ value, title: titleOf(value) }))
          : []
        : choices,
    numericItems,
    maxLength: number(body['maxLength']),
    when: Object.entries(asNode(ui['when'])).map(([sibling, rule]) => ({ key: sibling, rule: asNode(rule) })),
  };
}

/** Groups in the schema's order with the fields that exist for this task. The first group is the first step of the form. */
export function formFor(schema: unknown, task: string): FormGroup[] {
  const root = asNode(schema);
  const declared = asNodes(asNode(root['x-ui'])['groups']).map((group) => ({
    id: text(group['id']) ?? 'basic',
    title: text(group['title']) ?? titleOf(group['id']),
    collapsed: group['collapsed'] === true,
  }));
  const first = declared[0]?.id ?? 'basic';
  const fields = Object.entries(asNode(root['properties']))
    .map(([key, value]) => ({ key, node: asNode(value) }))
    .filter(({ node }) => node['x-tasks'] === undefined || words(node['x-tasks']).includes(task))
    .map(({ key, node }) => fieldFor(key, node, root, first))
    .sort((a, b) => a.order - b.order);
  const known = new Set(declared.map((group) => group.id));
  const others = [...new Set(fields.map((field) => field.group).filter((group) => !known.has(group)))].map((id) => ({
    id,
    title: titleOf(id),
    collapsed: false,
  }));
  return [...declared, ...others]
    .map((group) => ({ ...group, fields: fields.filter((field) => field.group === group.id) }))
    .filter((group) => group.fields.length > 0);
}

export function defaultsOf(groups: readonly FormGroup[]): ConfigValues {
  return Object.fromEntries(groups.flatMap((group) => group.fields.map((field) => [field.key, field.default])));
}

export function sameValue(a: ConfigValue, b: ConfigValue): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function matches(value: ConfigValue, rule: Node): boolean {
  if ('const' in rule && !sameValue(value, rule['const'])) return false;
  if (Array.isArray(rule['enum']) && !rule['enum'].some((item: unknown) => sameValue(item, value))) return false;
  if ('not' in rule && matches(value, asNode(rule['not']))) return false;
  const [minimum, maximum] = [number(rule['minimum']), number(rule['maximum'])];
  if (minimum !== undefined && !(typeof value === 'number' && value >= minimum)) return false;
  if (maximum !== undefined && !(typeof value === 'number' && value <= maximum)) return false;
  return true;
}

/** Keys of siblings that make this field have no effect now; empty when it is live. */
export function greyedBy(field: FormField, values: ConfigValues): string[] {
  return field.when.filter(({ key, rule }) => !matches(values[key], rule)).map(({ key }) => key);
}

/** First complaint the browser can give by itself; the hub judges again. */
export function complaintOf(
  field: FormField,
  value: ConfigValue,
): 'number' | 'whole' | 'low' | 'high' | 'json' | undefined {
  if (field.kind === 'json' && typeof value === 'string') return 'json';
  if (field.kind !== 'number' || value === null || field.choices.some((choice) => sameValue(choice.value, value)))
    return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) return 'number';
  if (field.integer && !Number.isInteger(value)) return 'whole';
  if (field.minimum !== undefined && value < field.minimum) return 'low';
  if (field.maximum !== undefined && value > field.maximum) return 'high';
  return undefined;
}

/** Values a person set that differ from what defaults and preset give; greyed fields are left out of the request. */
export function requestOf(
  groups: readonly FormGroup[],
  base: ConfigValues,
  changed: ConfigValues,
): Record<string, ConfigValue> {
  const values = { ...base, ...changed };
  const request: Record<string, ConfigValue> = {};
  for (const field of groups.flatMap((group) => group.fields))
    if (field.key in changed && !sameValue(changed[field.key], base[field.key]) && greyedBy(field, values).length === 0)
      request[field.key] = changed[field.key];
  return request;
}
