import * as words from '@trainyard/plugin-sdk';
import * as api from '@trainyard/plugin-sdk/api';
import { isEventsPart, isMultipartPart, isStreamPart, ROUTES, type AnyRoute } from '@trainyard/plugin-sdk/api';
import { isJsonObject, type Json, type JsonObject } from './json-value.ts';

/** docs/openapi.json: OpenAPI 3.1 from the route table. Pure and in the order of the table. */

/** Shapes that the table names; where one is used as it is, the document refers to it. */
const NAMED = new Map<object, string>();
for (const [name, value] of [...Object.entries(words), ...Object.entries(api)]) {
  if (isNamedShape(value) && !NAMED.has(value)) NAMED.set(value, name.replace(/(Shape|Schema)$/, ''));
}

function isNamedShape(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || 'method' in value) return false;
  const whole = 'type' in value && value.type === 'object' && 'properties' in value;
  return whole || ('anyOf' in value && Array.isArray(value.anyOf) && value.anyOf.length > 3);
}

class Components {
  readonly schemas: Record<string, Json> = {};

  /** The schema as JSON, with references to named shapes. `top` = write this one out although it has a name. */
  convert(schema: unknown, top = false): Json {
    if (Array.isArray(schema)) return schema.map((item: unknown) => this.convert(item));
    if (typeof schema !== 'object' || schema === null) return isScalar(schema) ? schema : null;
    const name = NAMED.get(schema);
    if (name !== undefined && !top) {
      if (!Object.hasOwn(this.schemas, name)) {
        // Taken before it is filled, so that a shape inside itself ends.
        this.schemas[name] = {};
        this.schemas[name] = this.convert(schema, true);
      }
      return { $ref: `#/components/schemas/${name}` };
    }
    return Object.fromEntries(
      Object.entries(schema).map(([key, value]: [string, unknown]) => [key, this.convert(value)]),
    );
  }
}

function isScalar(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

function parameters(components: Components, spec: AnyRoute): Json[] {
  const list: Json[] = [];
  for (const [where, schema] of [
    ['path', spec.params],
    ['query', spec.query],
  ] as const) {
    if (schema === undefined) continue;
    const whole = components.convert(schema, true);
    const properties = isJsonObject(whole) && isJsonObject(whole['properties']) ? whole['properties'] : {};
    const required = isJsonObject(whole) && Array.isArray(whole['required']) ? whole['required'] : [];
    for (const [name, property] of Object.entries(properties)) {
      list.push({ name, in: where, required: where === 'path' || required.includes(name), schema: property });
    }
  }
  if (isEventsPart(spec.reply)) {
    list.push({
      ...{ name: 'Last-Event-ID', in: 'header', required: false, schema: { type: 'string' } },
      description: 'Goes on after this event.',
    });
  }
  return list;
}

function requestBody(components: Components, { body }: AnyRoute): JsonObject {
  if (body === undefined) return {};
  if (isStreamPart(body)) {
    const bytes = { schema: { type: 'string', format: 'binary' } };
    const content = Object.fromEntries(body.mediaTypes.map((type) => [type, bytes]));
    return { requestBody: { required: true, description: `At most ${body.maxBytes} bytes.`, content } };
  }
  if (isMultipartPart(body)) {
    const part = { anyOf: [{ type: 'string' }, { type: 'string', format: 'binary' }] };
    const description = `At most ${body.maxFiles} files and ${body.maxBytes} bytes.`;
    const schema = { type: 'object', additionalProperties: part };
    return { requestBody: { required: true, description, content: { 'multipart/form-data': { schema } } } };
  }
  return { requestBody: { required: true, content: { 'application/json': { schema: components.convert(body) } } } };
}

function response(components: Components, { reply }: AnyRoute): JsonObject {
  if (reply === undefined) return { description: 'Done.' };
  if (isStreamPart(reply)) {
    const bytes = { schema: { type: 'string', format: 'binary' } };
    return { description: 'The bytes.', content: Object.fromEntries(reply.mediaTypes.map((type) => [type, bytes])) };
  }
  if (isEventsPart(reply)) {
    const stream = { schema: { type: 'string' }, 'x-event-data': components.convert(reply.schema) };
    const description = 'Server-sent events. `id` resumes; `data` is JSON of the shape in x-event-data.';
    return { description, content: { 'text/event-stream': stream } };
  }
  return { description: 'Done.', content: { 'application/json': { schema: components.convert(reply) } } };
}

function security(spec: AnyRoute): Json[] {
  if (spec.access === 'agent') return [{ agent: [] }];
  const signedIn: Json[] = [{ session: [] }, ...(spec.scope === undefined ? [] : [{ token: [spec.scope] }])];
  return spec.access === 'public' || spec.access === 'visitor' ? [{}, ...signedIn] : signedIn;
}

function operation(components: Components, spec: AnyRoute): JsonObject {
  const list = parameters(components, spec);
  const status = String(spec.status ?? (spec.reply === undefined ? 204 : 200));
  return {
    operationId: spec.id,
    summary: spec.summary,
    tags: [spec.action.split('.')[0] ?? spec.action],
    'x-access': spec.access,
    'x-action': spec.action,
    security: security(spec),
    ...(list.length === 0 ? {} : { parameters: list }),
    ...requestBody(components, spec),
    responses: { [status]: response(components, spec), default: { $ref: '#/components/responses/Problem' } },
  };
}

const PROBLEM: JsonObject = {
  type: 'object',
  required: ['type', 'title', 'status', 'code'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { enum: Object.keys(words.PROBLEMS) },
    detail: { type: 'string' },
    fix: { type: 'string', description: 'How to mend it.' },
    instance: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['code', 'message'],
        properties: {
          code: { type: 'string' },
          message: { type: 'string' },
          fix: { type: 'string' },
          pointer: { type: 'string' },
          file: { type: 'string' },
          line: { type: 'integer' },
        },
      },
    },
  },
};

export function openApi(version: string): JsonObject {
  const components = new Components();
  const paths: Record<string, Record<string, Json>> = {};
  for (const spec of ROUTES) {
    const path = spec.path.replace(/:([a-zA-Z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [spec.method.toLowerCase()]: operation(components, spec) };
  }
  const shapes = Object.entries(components.schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Trainyard',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description:
        'Generated from plugin-sdk/src/api by `npm run generate`. Every failure is a problem (docs/problems.md).',
    },
    paths,
    components: {
      schemas: { ...Object.fromEntries(shapes), Problem: PROBLEM },
      responses: {
        Problem: {
          description: 'RFC 9457.',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
      securitySchemes: {
        session: {
          ...{ type: 'apiKey', in: 'cookie', name: 'trainyard.session_token' },
          description: 'Made by signing in; over https its name begins with __Host-.',
        },
        token: { type: 'http', scheme: 'bearer', description: 'Access token of a person, with scopes.' },
        agent: { type: 'http', scheme: 'bearer', description: 'Key of a runner or validator.' },
      },
    },
  };
}
