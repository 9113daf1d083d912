import type { ModelClaim } from '@trainyard/plugin-sdk';
import {
  defaultsFor,
  isObject,
  scopedKeys,
  type ConfigSchema,
  type ConfigSubschema,
  type Json,
  type JsonObject,
} from '@trainyard/plugin-sdk/config';
import { nearestAllowed, sideFor } from '../trial/quick-settings.ts';

/** Settings that are not the defaults, so that it shows whether they arrive. */
export interface OtherSettings {
  /** Valid together, on top of the quick ones. */
  readonly values: JsonObject;
  /** Those of them that one training on a CPU can show. */
  readonly trained: JsonObject;
  /** Keys for which there is no other value, and those that a CPU cannot show, with the reason. */
  readonly leftOut: readonly { readonly key: string; readonly reason: string }[];
}

/** Whether a config fits the schema. */
export type Judge = (config: JsonObject) => Promise<boolean>;

/** Small ones: training with them has to end soon. */
const WANTED: Readonly<Record<string, readonly number[]>> = {
  epochs: [2, 3],
  batch: [4, 6],
  image_size: [96, 64, 128],
  workers: [0, 1],
  max_minutes: [0.2, 1],
  freeze: [1, 2],
  steps_per_second: [1000, 500],
};
const NOT_ON_A_CPU = /compile|channels_last|sync_?bn|distributed|cuda|gpu/;

export async function otherSettings(
  schema: ConfigSchema,
  task: string,
  quick: JsonObject,
  model: ModelClaim | undefined,
  judge: Judge,
): Promise<OtherSettings> {
  const defaults = defaultsFor(schema, task);
  const leftOut: { key: string; reason: string }[] = [];
  let values: JsonObject = {};
  for (const key of scopedKeys(schema, task)) {
    const property = schema.properties[key];
    const other = property === undefined ? undefined : otherValue(schema, key, property, defaults[key] ?? null, model);
    if (other === undefined) leftOut.push({ key, reason: 'no other value can be made up' });
    else values[key] = other;
  }
  if (!(await judge({ ...quick, ...values }))) {
    const fitting: JsonObject = {};
    for (const [key, value] of Object.entries(values)) {
      if (await judge({ ...quick, ...fitting, [key]: value })) fitting[key] = value;
      else leftOut.push({ key, reason: 'it does not go together with the other values tried' });
    }
    values = fitting;
  }
  const cannot = Object.keys(values).filter((key) => NOT_ON_A_CPU.test(key));
  leftOut.push(...cannot.map((key) => ({ key, reason: 'a CPU cannot show it' })));
  const trained = Object.fromEntries(Object.entries(values).filter(([key]) => !cannot.includes(key)));
  return { values, trained, leftOut };
}

function otherValue(
  schema: ConfigSchema,
  key: string,
  property: ConfigSubschema,
  usual: Json,
  model: ModelClaim | undefined,
): Json | undefined {
  if (property.const !== undefined || property.readOnly === true) return undefined;
  if (key === 'precision') return property.enum?.includes('fp32') === true && usual !== 'fp32' ? 'fp32' : undefined;
  if (key === 'image_size' && model?.input !== undefined) {
    const { min, max, default: own } = model.input;
    const sides = [96, 64, 128, min, max].map((side) => nearestAllowed(schema, key, sideFor(model, side)));
    return sides.find((side) => side !== null && side !== usual && side !== own) ?? undefined;
  }
  for (const wanted of WANTED[key] ?? []) {
    const value = nearestAllowed(schema, key, wanted);
    if (value !== null && value !== usual) return value;
  }
  return candidates(property, usual).find((value) => !same(value, usual));
}

function candidates(property: ConfigSubschema, usual: Json): Json[] {
  if (property.enum !== undefined) return property.enum.filter((value) => value !== null);
  const branches = [...schemas(property['anyOf']), ...schemas(property['oneOf'])];
  if (branches.length > 0) return branches.flatMap((branch) => candidates(branch, usual));
  const types = typeof property.type === 'string' ? [property.type] : (property.type ?? []);
  if (types.includes('boolean')) return [usual !== true];
  if (types.includes('integer')) return numbers(property, usual, true);
  if (types.includes('number')) return numbers(property, usual, false);
  const [items] = schemas([property['items']]);
  if (types.includes('array') && items !== undefined) {
    const item = candidates(items, null)[0];
    const length = Math.max(1, limit(property, 'minItems', 1));
    if (item !== undefined) return [Array.from({ length }, () => item)];
  }
  return [];
}

function schemas(value: unknown): ConfigSubschema[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function limit(property: ConfigSubschema, keyword: string, otherwise: number): number {
  const value = property[keyword];
  return typeof value === 'number' ? value : otherwise;
}

function numbers(property: ConfigSubschema, usual: Json, whole: boolean): number[] {
  const minimum = limit(property, 'minimum', -Infinity);
  const maximum = limit(property, 'maximum', Infinity);
  const above = limit(property, 'exclusiveMinimum', -Infinity);
  const below = limit(property, 'exclusiveMaximum', Infinity);
  const from = typeof usual === 'number' ? usual : null;
  const step = limit(property, 'multipleOf', whole ? 1 : 0);
  const tries =
    from === null
      ? [minimum, above + (whole ? 1 : 0.001), 1, 0.1, maximum]
      : step === 0
        ? [from * 0.5, from + 0.1, from + 0.01, from - 0.1, maximum, minimum]
        : [from + step, from - step, from + 2 * step];
  return tries
    .map((value) => (step === 0 ? Number(value.toPrecision(6)) : Math.round(value / step) * step))
    .filter((value) => Number.isFinite(value) && value >= minimum && value <= maximum)
    .filter((value) => value > above && value < below);
}

export function same(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number') return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a));
  return JSON.stringify(a) === JSON.stringify(b);
}
