/** Types of the config dialect (contract.md §4). Imports nothing, so that the browser can use them. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };
export type Config = Readonly<Record<string, Json>>;

export interface XUi {
  readonly group?: string;
  readonly order?: number;
  readonly widget?: string;
  readonly advanced?: boolean;
  readonly unit?: string;
  readonly scale?: string;
  readonly step?: number;
  readonly help?: string;
  readonly placeholder?: string;
  readonly when?: Readonly<Record<string, ConfigSubschema>>;
}

export interface ConfigSubschema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly default?: Json;
  readonly const?: Json;
  readonly enum?: readonly Json[];
  readonly properties?: Readonly<Record<string, ConfigSubschema>>;
  readonly 'x-ui'?: XUi;
  readonly 'x-tasks'?: readonly string[];
  readonly 'x-renamed-from'?: readonly string[];
  readonly [keyword: string]: unknown;
}

/** A schema that passed the dialect check. */
export interface ConfigSchema extends ConfigSubschema {
  readonly properties: Readonly<Record<string, ConfigSubschema>>;
  readonly $defs?: Readonly<Record<string, ConfigSubschema>>;
}

export interface Preset {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly tasks?: readonly string[];
  readonly devices?: readonly string[];
  readonly model?: string;
  readonly weights?: string;
  readonly values: Config;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
