import { EVENT_SCHEMAS, ManifestShape } from '@trainyard/plugin-sdk';
import { DatasetFile } from '@trainyard/plugin-sdk/dataset';
import { ExportMetadata } from '@trainyard/plugin-sdk/export';
import { jobSchema } from './job-schema.ts';
import { jsonText, plain, type JsonObject } from './json-value.ts';

/** The files of plugin-sdk/schemas: what authors of trainers in any language check against. */

/** presets.json. `parsePresets` judges more: unique ids, values that fit the config schema. */
const PRESETS: JsonObject = {
  title: 'presets.json',
  type: 'array',
  minItems: 1,
  maxItems: 50,
  description: 'The first one is "balanced" and has no values.',
  items: {
    type: 'object',
    required: ['id', 'title', 'description', 'values'],
    properties: {
      id: { type: 'string', pattern: '^[a-z0-9][a-z0-9-]{0,63}$' },
      title: { type: 'string', minLength: 1, maxLength: 60 },
      description: { type: 'string', minLength: 1, maxLength: 300 },
      tasks: { type: 'array', minItems: 1, items: { type: 'string' }, description: 'Absent = all tasks.' },
      devices: { type: 'array', minItems: 1, items: { type: 'string' }, description: 'Absent = all devices.' },
      model: { type: 'string' },
      weights: { type: 'string' },
      values: { type: 'object', description: 'Settings that differ from their defaults.' },
    },
    patternProperties: { '^x-': {} },
    additionalProperties: false,
  },
};

function eventSchema(): JsonObject {
  return {
    title: 'One line of output/events.jsonl',
    description: 'A trainer never writes "gap". Types that begin with "x-" are the author\'s own.',
    oneOf: Object.values(EVENT_SCHEMAS).map(plain),
  };
}

export function schemaFiles(): ReadonlyMap<string, string> {
  const schemas: Readonly<Record<string, JsonObject>> = {
    'trainer.v1': { title: 'trainer.yaml', ...plain(ManifestShape) },
    'event.v1': eventSchema(),
    'job.v1': jobSchema(),
    'dataset.v1': { title: 'dataset.json', ...plain(DatasetFile) },
    'export.v1': { title: 'metadata.json of an export', ...plain(ExportMetadata) },
    'presets.v1': PRESETS,
  };
  return new Map(
    Object.entries(schemas).map(([name, schema]) => {
      const head = { $schema: 'https://json-schema.org/draft/2020-12/schema', $id: `urn:trainyard:${name}` };
      return [`plugin-sdk/schemas/${name}.json`, jsonText({ ...head, ...schema })];
    }),
  );
}
