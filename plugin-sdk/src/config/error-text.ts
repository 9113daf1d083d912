import type { ErrorObject } from 'ajv';
import { nearest } from './nearest.ts';
import { isObject, type ConfigSchema } from './schema-shape.ts';

/** What a person reads beside a field of the form. */
export interface ConfigError {
  readonly pointer: string;
  readonly message: string;
  readonly fix: string;
}

function list(values: readonly unknown[]): string {
  const shown = values.slice(0, 12).map((value) => JSON.stringify(value));
  return shown.join(', ') + (values.length > shown.length ? ', …' : '');
}

const COMPARED: Readonly<Record<string, string>> = {
  '>=': 'at least',
  '>': 'more than',
  '<=': 'at most',
  '<': 'less than',
};

export function messageFor(error: ErrorObject, schema: ConfigSchema): ConfigError {
  const { instancePath, keyword } = error;
  const params: Record<string, unknown> = error.params;
  const name = instancePath.split('/')[1] ?? '';
  const title = (Object.hasOwn(schema.properties, name) ? schema.properties[name]?.title : undefined) ?? name;
  const subject = title === '' ? 'The settings' : title;
  const say = (message: string, fix: string, pointer = instancePath): ConfigError => ({ pointer, message, fix });
  const limit = String(params['limit']);
  switch (keyword) {
    case 'additionalProperties': {
      const extra = String(params['additionalProperty']);
      const near = nearest(extra, Object.keys(schema.properties));
      const pointer = `${instancePath}/${extra.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      return say(
        `There is no setting "${extra}" here.`,
        near === null ? 'Remove it.' : `Did you mean "${near}"?`,
        pointer,
      );
    }
    case 'type': {
      const wanted = String(params['type']).replaceAll(',', ' or ');
      return say(`${subject} has the wrong type.`, `It must be of type ${wanted}; nothing is converted.`);
    }
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return say(`${subject} is out of range.`, `It must be ${COMPARED[String(params['comparison'])] ?? ''} ${limit}.`);
    case 'multipleOf':
      return say(`${subject} does not fit the step.`, `It must be a multiple of ${String(params['multipleOf'])}.`);
    case 'enum': {
      const allowed = params['allowedValues'];
      return say(
        `${subject} is not one of the choices.`,
        `Choose one of ${list(Array.isArray(allowed) ? allowed : [])}.`,
      );
    }
    case 'const':
      return say(`${subject} is not accepted.`, `It must be ${JSON.stringify(params['allowedValue'])}.`);
    case 'oneOf':
    case 'anyOf':
      return say(`${subject} is not one of the choices.`, choices(schema, name, keyword));
    case 'maxLength':
    case 'minLength':
      return say(
        `${subject} has the wrong length.`,
        `Write ${keyword === 'maxLength' ? 'at most' : 'at least'} ${limit} characters.`,
      );
    case 'maxItems':
    case 'minItems':
      return say(
        `${subject} has the wrong number of entries.`,
        `Give ${keyword === 'maxItems' ? 'at most' : 'at least'} ${limit}.`,
      );
    case 'pattern':
      return say(`${subject} does not have the expected form.`, `It must match ${String(params['pattern'])}.`);
    case 'required':
    case 'dependentRequired':
      return say(
        `"${String(params['missingProperty'])}" is missing.`,
        'Set it.',
        `${instancePath}/${String(params['missingProperty'])}`,
      );
    case 'uniqueItems':
      return say(`${subject} has an entry twice.`, 'Remove one of the two.');
    default:
      return say(`${subject} does not fit: ${error.message ?? keyword}.`, 'Change it, or the settings it depends on.');
  }
}

function choices(schema: ConfigSchema, name: string, keyword: string): string {
  const property: unknown = schema.properties[name];
  const branches: unknown = isObject(property) ? property[keyword] : undefined;
  if (!Array.isArray(branches)) return 'Use one of the described forms.';
  const constants = branches.flatMap((branch: unknown) =>
    isObject(branch) && 'const' in branch ? [branch['const']] : [],
  );
  const kinds = branches.flatMap((branch: unknown) =>
    isObject(branch) && typeof branch['type'] === 'string' ? [`a value of type ${branch['type']}`] : [],
  );
  const words = [...kinds, ...(constants.length > 0 ? [list(constants)] : [])].join(' or ');
  return words === '' ? 'Use one of the described forms.' : `Choose ${kinds.length === 0 ? 'one of ' : ''}${words}.`;
}
