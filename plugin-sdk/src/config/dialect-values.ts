import type { Finding } from '../finding.ts';
import { isObject } from './schema-shape.ts';
import { patternProblem } from './linear-pattern.ts';

const MAX_ENUM = 500;
const MAX_TEXT = 1024;
const VALUE_KEYWORDS = new Set(['default', 'const', 'enum', 'examples', 'x-search', 'x-ui']);

/** One part of a JSON pointer. */
export function step(name: string): string {
  return name.slice(0, 80).replaceAll('~', '~0').replaceAll('/', '~1');
}

export function schemaFinding(
  check: string,
  pointer: string,
  message: string,
  fix: string,
  evidence?: string,
): Finding {
  return {
    check,
    severity: 'error',
    where: { file: 'config.schema.json', pointer },
    message,
    ...(evidence === undefined ? {} : { evidence }),
    fix,
  };
}

/** Limits on the values a keyword holds. */
export function valueFindings(keyword: string, value: unknown, pointer: string): Finding[] {
  if (keyword === 'pattern' && typeof value === 'string') {
    const problem = patternProblem(value);
    if (problem === null) return [];
    const fix = 'Use classes, groups and repeats only; list fixed choices with enum.';
    return [schemaFinding('schema-pattern', pointer, `The pattern ${problem}.`, fix, value.slice(0, 100))];
  }
  if (keyword === 'enum' && Array.isArray(value) && value.length > MAX_ENUM) {
    const message = `The enum has ${value.length} entries; ${MAX_ENUM} are allowed.`;
    return [schemaFinding('schema-too-large', pointer, message, 'Take a text with a pattern instead.')];
  }
  return VALUE_KEYWORDS.has(keyword) ? textFindings(value, pointer) : [];
}

function textFindings(root: unknown, pointer: string): Finding[] {
  const stack: unknown[] = [root];
  for (let value = stack.pop(); stack.length > 0 || value !== undefined; value = stack.pop()) {
    if (typeof value === 'string' && value.length > MAX_TEXT) {
      const message = `A text has ${value.length} characters; ${MAX_TEXT} are allowed.`;
      return [schemaFinding('schema-too-large', pointer, message, 'Shorten it.')];
    }
    if (Array.isArray(value)) stack.push(...value);
    else if (isObject(value)) stack.push(...Object.values(value));
  }
  return [];
}
