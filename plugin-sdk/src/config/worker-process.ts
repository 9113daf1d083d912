import process from 'node:process';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { RE2JS } from 're2js';
import { messageFor, type ConfigError } from './error-text.ts';
import { scopedSchema } from './resolve.ts';
import { isObject, type ConfigSchema, type Json } from './schema-shape.ts';

/**
 * Runs inside a child process without permissions: the only place where code generated from an author's schema is executed. Speaks the messages below
 * over IPC, one at a time. It imports no network client, because sockets are not covered by the permission model.
 */

export type WorkerRequest =
  | { readonly kind: 'compile'; readonly key: string; readonly text: string; readonly select: Select }
  | { readonly kind: 'validate'; readonly key: string; readonly value: unknown };
/** Which part: the whole, the part that exists for a task, or an entry of $defs. */
export type Select = { readonly task: string } | { readonly definition: string } | { readonly whole: true };
export type WorkerReply =
  | { readonly kind: 'ready' | 'compiled' | 'missing' }
  | { readonly kind: 'refused'; readonly pointer: string; readonly reason: string }
  | { readonly kind: 'validated'; readonly errors: readonly ConfigError[] };

const KEPT = 64;
const MAX_ERRORS = 20;

interface LinearRegExp {
  (pattern: string, flags: string): { test: (text: string) => boolean };
  code: string;
}

function makeLinear(pattern: string): { test: (text: string) => boolean } {
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
  return { test: (text) => compiled.matcher(text).find() };
}
const linear: LinearRegExp = Object.assign(makeLinear, { code: 'linear' });

const OPTIONS = {
  strict: true,
  strictTypes: false,
  strictRequired: false,
  ownProperties: true,
  allErrors: false,
  $data: false,
  logger: false,
  code: { regExp: linear },
} as const;

// Knows only the meta-schema: no author's schema is ever added to it.
const meta = new Ajv2020(OPTIONS);

interface Compiled {
  readonly validate: ValidateFunction;
  readonly schema: ConfigSchema;
}
const compiled = new Map<string, Compiled>();

function select(schema: ConfigSchema, part: Select): ConfigSchema {
  if ('task' in part) return scopedSchema(schema, part.task);
  if ('whole' in part) return schema;
  const definition = schema.$defs?.[part.definition];
  if (definition === undefined) throw new RangeError(`there is no #/$defs/${part.definition}`);
  return { properties: {}, ...definition, ...(schema.$defs === undefined ? {} : { $defs: schema.$defs }) };
}

function compile(request: WorkerRequest & { kind: 'compile' }): WorkerReply {
  const parsed: ConfigSchema = JSON.parse(request.text);
  if (meta.validateSchema(parsed) !== true) {
    const error = meta.errors?.at(-1);
    return {
      kind: 'refused',
      pointer: error?.instancePath ?? '',
      reason: error?.message ?? 'does not fit the meta-schema',
    };
  }
  try {
    const schema = select(parsed, request.select);
    const ajv = new Ajv2020({ ...OPTIONS, validateSchema: false, addUsedSchema: false });
    ajv.addVocabulary(['x-ui', 'x-tasks', 'x-search', 'x-renamed-from']);
    compiled.set(request.key, { validate: ajv.compile(schema), schema });
  } catch (error) {
    return { kind: 'refused', pointer: '', reason: error instanceof Error ? error.message : String(error) };
  }
  const oldest = compiled.keys().next();
  if (compiled.size > KEPT && oldest.done !== true) compiled.delete(oldest.value);
  return { kind: 'compiled' };
}

/** Ajv stops at the first error. A wrong setting is put back to its default and the rest judged again, so that a person sees all of them. */
function validate(key: string, value: unknown): WorkerReply {
  const entry = compiled.get(key);
  if (entry === undefined) return { kind: 'missing' };
  compiled.delete(key);
  compiled.set(key, entry);
  const errors: ConfigError[] = [];
  const current = isObject(value) ? { ...value } : value;
  while (errors.length < MAX_ERRORS && entry.validate(current) !== true) {
    const error = outermost(entry.validate.errors ?? []);
    if (error === undefined) break;
    errors.push(messageFor(error, entry.schema));
    if (!isObject(current) || !repair(current, error, entry.schema)) break;
  }
  return { kind: 'validated', errors };
}

function outermost(errors: readonly ErrorObject[]): ErrorObject | undefined {
  return errors.at(-1);
}

function repair(config: Record<string, unknown>, error: ErrorObject, schema: ConfigSchema): boolean {
  const unknown: unknown = error.keyword === 'additionalProperties' ? error.params['additionalProperty'] : undefined;
  if (error.instancePath === '' && typeof unknown === 'string') return delete config[unknown];
  const key = error.instancePath.split('/')[1]?.replaceAll('~1', '/').replaceAll('~0', '~');
  if (key === undefined || !Object.hasOwn(schema.properties, key)) return false;
  const standard: Json | undefined = schema.properties[key]?.default;
  if (standard === undefined || JSON.stringify(config[key]) === JSON.stringify(standard)) return false;
  config[key] = standard;
  return true;
}

function answer(request: WorkerRequest): WorkerReply {
  return request.kind === 'compile' ? compile(request) : validate(request.key, request.value);
}

if (process.send !== undefined) {
  process.on('message', (request: WorkerRequest) => process.send?.(answer(request)));
  process.on('disconnect', () => process.exit(0));
  // Warm engine, so that the first author does not pay for it.
  void meta.validateSchema({ type: 'object', properties: { a: { type: 'string', pattern: '^a$', default: 'a' } } });
  process.send({ kind: 'ready' } satisfies WorkerReply);
}
