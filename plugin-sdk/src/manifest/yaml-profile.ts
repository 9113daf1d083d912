import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  Parser,
  type CST,
  type ParsedNode,
  type YAMLError,
} from 'yaml';
import type { Finding } from '../finding.ts';

/** The YAML profile of security.md §3.3: plain data only, judged on the token tree before anything is built from it. */

const LIMITS = { bytes: 64 * 1024, depth: 16, nodes: 5000, findings: 20 } as const;
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype', '<<']);

export interface YamlValue {
  readonly value: unknown;
  /** JSON pointer → line, from 1. */
  readonly lines: ReadonlyMap<string, number>;
}

export function parseYamlText(text: string, file: string): YamlValue | { findings: Finding[] } {
  const refuse = (message: string, fix: string, line = 1): { findings: Finding[] } => ({
    findings: [yamlFinding(file, message, fix, line)],
  });
  if (Buffer.byteLength(text) > LIMITS.bytes) return refuse(`${file} is larger than 64 KiB.`, 'Shorten it.');
  if (text.startsWith('\ufeff')) return refuse('The file begins with a byte order mark.', 'Save it as plain UTF-8.');
  const lineCounter = new LineCounter();
  const lineOf = (offset: number): number => Math.max(1, lineCounter.linePos(offset).line);
  try {
    const tokens = [...new Parser(lineCounter.addNewLine).parse(text)];
    const problem = tokenProblem(tokens);
    if (problem !== null) {
      const finding = yamlFinding(file, problem.message, problem.fix, lineOf(problem.offset));
      return { findings: [{ ...finding, check: problem.deep === true ? 'json-too-deep' : finding.check }] };
    }
    const document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      merge: false,
      stringKeys: false,
      uniqueKeys: true,
      strict: true,
      resolveKnownTags: false,
      prettyErrors: false,
      logLevel: 'error',
    });
    const errors = [...document.errors, ...document.warnings];
    if (errors.length > 0) return { findings: errorFindings(errors, file, lineOf) };
    const lines = new Map<string, number>();
    const findings: Finding[] = [];
    const value = build(document.contents, '', 0, { file, lines, findings, lineOf });
    return findings.length > 0 ? { findings } : { value, lines };
  } catch (error) {
    return refuse(
      'The file cannot be read as YAML.',
      `Correct it (${error instanceof Error ? error.message.slice(0, 120) : ''}).`,
    );
  }
}

/** One finding a line: one slip of the pen makes the parser complain many times. */
function errorFindings(errors: readonly YAMLError[], file: string, lineOf: (offset: number) => number): Finding[] {
  const byLine = new Map<number, Finding>();
  for (const error of errors) {
    const line = lineOf(error.pos[0]);
    if (byLine.has(line) || byLine.size >= LIMITS.findings) continue;
    byLine.set(line, yamlFinding(file, yamlMessage(error), fixFor(error.code), line));
  }
  return [...byLine.values()];
}

function yamlFinding(file: string, message: string, fix: string, line: number): Finding {
  return { check: 'manifest-invalid', severity: 'error', where: { file, line }, message, fix };
}

function yamlMessage(error: { code: string; message: string }): string {
  const text = error.message.split('\n')[0] ?? '';
  if (error.code === 'DUPLICATE_KEY') return 'A key stands twice in one place.';
  if (error.code === 'NON_STRING_KEY') return 'A key is not a text.';
  if (error.code === 'MULTIPLE_DOCS') return 'The file holds a second document.';
  return `YAML: ${text.slice(0, 200)}.`;
}

function fixFor(code: string): string {
  if (code === 'DUPLICATE_KEY') return 'Keep one of the two.';
  if (code === 'NON_STRING_KEY') return 'Put the key in quotes.';
  if (code === 'MULTIPLE_DOCS') return 'Remove everything from "---" on.';
  return 'Correct the YAML at this line; two spaces per level, no tabs.';
}

interface TokenProblem {
  readonly message: string;
  readonly fix: string;
  readonly offset: number;
  readonly deep?: boolean;
}

interface Open {
  readonly token: CST.Token;
  readonly depth: number;
}

/** Walks the token tree with an explicit stack. */
function tokenProblem(tokens: readonly CST.Token[]): TokenProblem | null {
  let documents = 0;
  let nodes = 0;
  const stack: Open[] = [];
  const tokensOf = (item: CST.CollectionItem): readonly CST.SourceToken[] => [...item.start, ...(item.sep ?? [])];
  for (const token of tokens) {
    if (token.type === 'directive') {
      return { message: 'YAML directives are not accepted.', fix: 'Remove the line.', offset: token.offset };
    }
    if (token.type !== 'document') continue;
    if (++documents > 1) {
      return {
        message: 'The file holds a second document.',
        fix: 'Remove everything from "---" on.',
        offset: token.offset,
      };
    }
    const own = sourceProblem(token.start);
    if (own !== null) return own;
    if (token.value !== undefined) stack.push({ token: token.value, depth: 1 });
  }
  for (let open = stack.pop(); open !== undefined; open = stack.pop()) {
    const { token, depth } = open;
    if (++nodes > LIMITS.nodes) {
      const message = `The file has more than ${LIMITS.nodes} values.`;
      return { message, fix: 'Shorten lists; open model families use a pattern.', offset: token.offset, deep: true };
    }
    if (token.type === 'alias') {
      return { message: 'Aliases (*name) are not accepted.', fix: 'Write the value out.', offset: token.offset };
    }
    if (token.type !== 'block-map' && token.type !== 'block-seq' && token.type !== 'flow-collection') continue;
    if (depth > LIMITS.depth) {
      const message = `The file is nested deeper than ${LIMITS.depth} levels.`;
      return { message, fix: 'Flatten it.', offset: token.offset, deep: true };
    }
    for (const item of token.items) {
      const own = sourceProblem(tokensOf(item));
      if (own !== null) return own;
      if (item.key != null) stack.push({ token: item.key, depth: depth + 1 });
      if (item.value !== undefined) stack.push({ token: item.value, depth: depth + 1 });
    }
  }
  return null;
}

function sourceProblem(sources: readonly CST.SourceToken[]): TokenProblem | null {
  for (const source of sources) {
    if (source.type === 'anchor') {
      return {
        message: 'Anchors (&name) are not accepted.',
        fix: 'Write the value out each time.',
        offset: source.offset,
      };
    }
    if (source.type === 'tag') {
      return { message: 'Tags (!name) are not accepted.', fix: 'Remove the tag.', offset: source.offset };
    }
  }
  return null;
}

interface BuildContext {
  readonly file: string;
  readonly lines: Map<string, number>;
  readonly findings: Finding[];
  readonly lineOf: (offset: number) => number;
}

/** Depth is bounded by tokenProblem. */
function build(node: ParsedNode | null, pointer: string, offset: number, context: BuildContext): unknown {
  const at = context.lineOf(node?.range[0] ?? offset);
  if (!context.lines.has(pointer)) context.lines.set(pointer, at);
  const refuse = (message: string, fix: string): null => {
    if (context.findings.length < LIMITS.findings) context.findings.push(yamlFinding(context.file, message, fix, at));
    return null;
  };
  if (node === null) return null;
  if (isScalar(node)) {
    const value: unknown = node.value;
    if (typeof value === 'number' && (!Number.isFinite(value) || Math.abs(value) > 2 ** 53)) {
      return refuse('A number is not finite or too large.', 'Stay within ±2^53.');
    }
    if (typeof value === 'string' && (value.includes('\0') || !value.isWellFormed())) {
      return refuse('A text holds a NUL or half a character.', 'Remove it.');
    }
    return value;
  }
  if (isSeq(node)) {
    return node.items.map((item, i) => build(item, `${pointer}/${i}`, node.range[0], context));
  }
  if (!isMap(node)) return refuse('This kind of value is not accepted.', 'Write plain values, lists and maps.');
  const entries: [string, unknown][] = [];
  for (const pair of node.items) {
    const key: unknown = isScalar(pair.key) ? pair.key.value : null;
    if (typeof key !== 'string') {
      refuse('A key is not a text.', 'Put the key in quotes.');
      continue;
    }
    if (FORBIDDEN_KEYS.has(key)) {
      refuse(
        `The key "${key}" is not accepted.`,
        key === '<<' ? 'Merge keys are not accepted; write the values out.' : 'Rename it.',
      );
      continue;
    }
    const path = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    context.lines.set(path, context.lineOf(pair.key.range[0]));
    entries.push([key, build(pair.value, path, pair.key.range[1], context)]);
  }
  return Object.fromEntries(entries);
}
