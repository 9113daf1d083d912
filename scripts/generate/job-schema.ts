import { Limits, VERBS } from '@trainyard/plugin-sdk';
import { plain, type JsonObject } from './json-value.ts';

/** job.json as the runner writes it (`buildJobFile`); the test builds one for every verb and compares the fields both ways. */

const TEXT = { type: 'string' } as const;
const DIGEST = { type: 'string', pattern: '^(sha256:)?[0-9a-f]{64}$' } as const;
const STEP = { type: 'integer', minimum: 0 } as const;

function object(properties: JsonObject, optional: readonly string[] = []): JsonObject {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', required, properties };
}

function orNull(schema: JsonObject): JsonObject {
  return { anyOf: [{ type: 'null' }, schema] };
}

/** Fields that only some verbs have. */
const SPECIAL: Readonly<Record<string, { readonly verbs: readonly string[]; readonly schema: JsonObject }>> = {
  dataset: {
    verbs: ['validate', 'train', 'evaluate'],
    schema: orNull(object({ path: TEXT, format: TEXT, digest: DIGEST })),
  },
  weights: { verbs: ['train'], schema: orNull(object({ id: TEXT, path: TEXT, sha256: DIGEST })) },
  resume: { verbs: ['train'], schema: orNull(object({ checkpoint: TEXT, step: STEP })) },
  checkpoint: {
    verbs: ['evaluate', 'predict', 'export'],
    schema: orNull(object({ path: TEXT, sha256: DIGEST })),
  },
  evaluate: { verbs: ['evaluate'], schema: object({ split: TEXT }) },
  predict: { verbs: ['predict'], schema: object({ source: TEXT, topK: { type: 'integer', minimum: 1 } }, ['topK']) },
  export: {
    verbs: ['export'],
    schema: object({
      format: TEXT,
      precision: TEXT,
      dynamic: { type: 'array', items: TEXT },
      options: { type: 'object' },
    }),
  },
};

export function jobSchema(): JsonObject {
  const common = object({
    contract: { const: '1.0' },
    jobId: TEXT,
    attempt: { type: 'integer', minimum: 1 },
    command: { enum: [...VERBS] },
    trainer: { type: 'string', description: '@owner/name@version' },
    task: TEXT,
    model: TEXT,
    config: orNull({ type: 'object' }),
    configDigest: orNull(DIGEST),
    seed: { type: 'integer' },
    device: object({ kind: { enum: ['cpu', 'cuda'] }, count: { type: 'integer', minimum: 1 } }),
    limits: plain(Limits),
    grace: { type: 'integer', minimum: 1 },
  });
  const special = Object.fromEntries(Object.entries(SPECIAL).map(([name, { schema }]) => [name, schema]));
  const properties = common['properties'];
  return {
    ...common,
    title: 'job.json',
    description: 'One piece of work for a trainer. Paths are relative to the job folder.',
    properties: { ...(typeof properties === 'object' ? properties : {}), ...special },
    allOf: Object.entries(SPECIAL).map(([name, { verbs }]) => ({
      if: { properties: { command: { enum: [...verbs] } } },
      then: { required: [name] },
      else: { not: { required: [name] } },
    })),
  };
}
