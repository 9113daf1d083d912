import type { ModelClaim } from '@trainyard/plugin-sdk';
import {
  defaultsFor,
  isObject,
  type ConfigSchema,
  type ConfigSubschema,
  type JsonObject,
} from '@trainyard/plugin-sdk/config';

/** Reserved names of contract.md §4.4 with the value nearest to which a test wants them. */
const QUICK: Readonly<Record<string, number>> = { epochs: 1, batch: 8, workers: 0, image_size: 64, patience: 0 };
const ENDLESS_EPOCHS = 10_000;

/** Defaults with the common settings turned down as far as the schema allows. Pure. */
export function quickSettings(schema: ConfigSchema, task: string, model?: ModelClaim): JsonObject {
  return turnedDown(defaultsFor(schema, task), schema, model);
}

/** The same settings, with those that say how long a training takes as low as the schema allows. */
export function turnedDown(given: JsonObject, schema: ConfigSchema, model?: ModelClaim): JsonObject {
  const settings = { ...given };
  for (const [key, wanted] of Object.entries(QUICK)) {
    if (settings[key] === undefined) continue;
    const value = nearestAllowed(schema, key, key === 'image_size' ? sideFor(model, wanted) : wanted);
    if (value !== null) settings[key] = value;
  }
  return settings;
}

/** The quick settings without an end; null when nothing says how long to train. */
export function endlessSettings(schema: ConfigSchema, task: string, model?: ModelClaim): JsonObject | null {
  const settings = quickSettings(schema, task, model);
  const epochs = settings['epochs'] === undefined ? null : nearestAllowed(schema, 'epochs', ENDLESS_EPOCHS);
  return epochs === null ? null : { ...settings, epochs };
}

/** The side nearest to the wanted one that the model takes. */
export function sideFor(model: ModelClaim | undefined, wanted: number): number {
  if (model?.input === undefined) return wanted;
  const { min, max, step } = model.input;
  return Math.min(max, Math.ceil(Math.max(min, wanted) / step) * step);
}

/** The number nearest to the wanted one that a setting may be; of several forms (a number or "auto") the numeric one. Null when it is none. */
export function nearestAllowed(schema: ConfigSchema, key: string, wanted: number): number | null {
  const property = schema.properties[key];
  if (property === undefined) return null;
  const forms = [property, ...formsOf(property['anyOf']), ...formsOf(property['oneOf'])];
  for (const form of forms) {
    const value = nearestIn(form, wanted);
    if (value !== null) return value;
  }
  return null;
}

function formsOf(value: unknown): ConfigSubschema[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function nearestIn(property: ConfigSubschema, wanted: number): number | null {
  const types = Array.isArray(property.type) ? property.type : [property.type];
  if (property.enum !== undefined) return property.enum.includes(wanted) ? wanted : null;
  if (!types.includes('integer') && !types.includes('number')) return null;
  const { minimum, maximum, multipleOf } = property;
  let value = wanted;
  if (typeof maximum === 'number') value = Math.min(value, maximum);
  if (typeof minimum === 'number') value = Math.max(value, minimum);
  if (typeof multipleOf === 'number' && value % multipleOf !== 0) value = Math.ceil(value / multipleOf) * multipleOf;
  return typeof maximum === 'number' && value > maximum ? null : value;
}
