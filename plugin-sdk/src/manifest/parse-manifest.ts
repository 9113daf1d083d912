import { Check, Errors } from 'typebox/value';
import { canonicalJson, sha256, type Digest } from '../digest.ts';
import type { Finding } from '../finding.ts';
import { nearest } from '../config/nearest.ts';
import { isObject } from '../config/schema-shape.ts';
import { ManifestShape, type Manifest } from './manifest-shape.ts';
import { parseYamlText } from './yaml-profile.ts';

const FILE = 'trainer.yaml';

export interface ParsedManifest {
  readonly manifest: Manifest;
  /** JSON pointer → line of trainer.yaml. */
  readonly lines: ReadonlyMap<string, number>;
}

/** Reads trainer.yaml: profile, then shape. What the shape cannot say is judged by checkManifest. Never throws. */
export function parseManifest(text: string): ParsedManifest | { findings: Finding[] } {
  const yaml = parseYamlText(text, FILE);
  if ('findings' in yaml) return yaml;
  if (Check(ManifestShape, yaml.value)) return { manifest: yaml.value, lines: yaml.lines };
  return { findings: shapeFindings(yaml.value, yaml.lines) };
}

/** sha256 of the canonical JSON of the whole manifest. */
export function manifestDigest(manifest: Manifest): Digest {
  return sha256(canonicalJson(manifest));
}

/** Without the `image` block: what an image's own `describe` can know (contract.md §3.2). */
export function interfaceDigest(manifest: Manifest): Digest {
  const { image: _image, ...rest } = manifest;
  return sha256(canonicalJson(rest));
}

type ShapeError = ReturnType<typeof Errors>[number];

function shapeFindings(value: unknown, lines: ReadonlyMap<string, number>): Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const error of Errors(ManifestShape, value)) {
    // "schema is false" repeats what additionalProperties says; branches of a union are summed up by one finding.
    if (error.keyword === 'boolean' || error.keyword === 'anyOf') continue;
    const branch = /\/anyOf\/[0-9]+/.test(error.schemaPath);
    for (const { pointer, message, fix } of branch ? [unionText(error)] : errorTexts(error)) {
      const line = lineAt(pointer, lines);
      const key = branch ? error.instancePath : `${pointer} ${message}`;
      if (seen.has(key)) continue;
      seen.add(key);
      findings.push({
        check: 'manifest-invalid',
        severity: 'error',
        where: { file: FILE, line, pointer },
        message,
        fix,
      });
    }
  }
  return findings.length > 0 ? findings : [unexplained()];
}

function unexplained(): Finding {
  return {
    check: 'manifest-invalid',
    severity: 'error',
    where: { file: FILE },
    message: 'trainer.yaml does not have the expected shape.',
    fix: 'Compare it with the manifest reference.',
  };
}

/** The nearest line above: a missing key has none of its own. */
export function lineAt(pointer: string, lines: ReadonlyMap<string, number>): number {
  for (let at = pointer; at !== ''; at = at.slice(0, Math.max(at.lastIndexOf('/'), 0))) {
    const line = lines.get(at);
    if (line !== undefined) return line;
  }
  return 1;
}

interface Said {
  readonly pointer: string;
  readonly message: string;
  readonly fix: string;
}

function named(pointer: string): string {
  return pointer === '' ? 'The file' : pointer.slice(1).replaceAll('/', '.');
}

function unionText(error: ShapeError): Said {
  const pointer = error.instancePath;
  const fix = pointer.includes('/declared/')
    ? 'Write a metric name, or {name, direction, unit, title}.'
    : 'Write a number above 0, or a quantity such as "4Gi".';
  return { pointer, message: `${named(pointer)} does not have the expected form.`, fix };
}

function errorTexts(error: ShapeError): Said[] {
  const pointer = error.instancePath;
  const name = named(pointer);
  switch (error.keyword) {
    case 'required':
      return error.params.requiredProperties.map((key) => ({
        pointer: `${pointer}/${key}`,
        message: `${key} is missing${pointer === '' ? '' : ` in ${name}`}.`,
        fix: `Add "${key}:".`,
      }));
    case 'additionalProperties':
      return error.params.additionalProperties.map((key) => {
        const near = nearest(key, keysAt(pointer));
        const fix = near === null ? 'Remove it, or begin its name with "x-".' : `Did you mean "${near}"?`;
        return { pointer: `${pointer}/${key}`, message: `${key} is not known here.`, fix };
      });
    case 'type': {
      const wanted = String(error.params.type);
      const quote = wanted === 'string' ? ' Put numbers such as versions in quotes.' : '';
      return [{ pointer, message: `${name} has the wrong type.`, fix: `It must be of type ${wanted}.${quote}` }];
    }
    case 'enum':
      return [
        {
          pointer,
          message: `${name} is not one of the known words.`,
          fix: `Known: ${error.params.allowedValues.join(', ')}.`,
        },
      ];
    case 'pattern':
      return [
        {
          pointer,
          message: `${name} does not have the expected form.`,
          fix: `It must be ${expectation(pointer, String(error.params.pattern))}.`,
        },
      ];
    default:
      return [{ pointer, message: `${name} ${error.message}.`, fix: 'Change the value accordingly.' }];
  }
}

function expectation(pointer: string, pattern: string): string {
  if (pattern.startsWith('^https')) return 'an https:// address';
  if (pattern.includes('[0-9a-f]{64}')) return 'a sha256 of 64 hex digits';
  return pointer.startsWith('/keywords') ? 'lower case letters, digits and "-", 2 to 30' : `of the form ${pattern}`;
}

/** Property names the shape knows at a pointer into the value. */
function keysAt(pointer: string): string[] {
  let shape: unknown = ManifestShape;
  for (const part of pointer.split('/').slice(1)) {
    if (!isObject(shape)) return [];
    const properties = shape['properties'];
    shape = isObject(properties) ? properties[part] : shape['items'];
  }
  const properties = isObject(shape) ? shape['properties'] : undefined;
  return isObject(properties) ? Object.keys(properties) : [];
}
