import type { Finding } from '../finding.ts';

export interface JsonProfile {
  readonly file: string;
  readonly depth: number;
  readonly nodes: number;
  /** Check id of syntax, duplicate keys and numbers. */
  readonly check: string;
  /** Check id of depth and node count. */
  readonly deepCheck: string;
  /** Check id of dangerous key names. */
  readonly nameCheck: string;
}

const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Reads JSON under the profile of security.md §3.3: depth, node count, duplicate and dangerous keys and numbers are judged by one pass over the text
 * without recursion, before JSON.parse sees it.
 */
export function parseJsonText(text: string, profile: JsonProfile): { value: unknown } | { findings: Finding[] } {
  const problem = scan(text, profile);
  if (problem !== null) return { findings: [problem] };
  try {
    const value: unknown = JSON.parse(text);
    return { value };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      findings: [finding(profile, profile.check, `${profile.file} is not valid JSON.`, 'Correct the JSON.', 1, reason)],
    };
  }
}

function finding(
  profile: JsonProfile,
  check: string,
  message: string,
  fix: string,
  line: number,
  evidence?: string,
): Finding {
  return {
    check,
    severity: 'error',
    where: { file: profile.file, line },
    message,
    ...(evidence === undefined ? {} : { evidence: evidence.slice(0, 300) }),
    fix,
  };
}

interface Level {
  readonly keys: Set<string> | null;
}

function scan(text: string, profile: JsonProfile): Finding | null {
  const stack: Level[] = [];
  let nodes = 0;
  let line = 1;
  let expectKey = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '\n') {
      line++;
    } else if (char === '{' || char === '[') {
      stack.push({ keys: char === '{' ? new Set() : null });
      expectKey = char === '{';
      nodes++;
      if (stack.length > profile.depth) {
        const message = `${profile.file} is nested deeper than ${profile.depth} levels.`;
        return finding(profile, profile.deepCheck, message, 'Flatten it.', line);
      }
    } else if (char === '}' || char === ']') {
      stack.pop();
      expectKey = false;
    } else if (char === ',') {
      expectKey = stack.at(-1)?.keys !== null && stack.length > 0;
    } else if (char === '"') {
      const end = stringEnd(text, at);
      if (end === -1) return finding(profile, profile.check, 'A string does not end.', 'Close the string.', line);
      const problem = expectKey
        ? keyProblem(text.slice(at, end + 1), stack.at(-1))
        : textProblem(text.slice(at, end + 1));
      if (problem !== null) {
        return finding(
          profile,
          problem.name === true ? profile.nameCheck : profile.check,
          problem.message,
          problem.fix,
          line,
        );
      }
      if (!expectKey) nodes++;
      expectKey = false;
      at = end;
    } else if (char !== undefined && /[-0-9]/.test(char)) {
      const number = /^-?[0-9.eE+-]*/.exec(text.slice(at, at + 400))?.[0] ?? char;
      if (!numberFits(number)) {
        const message = 'A number is too large to be kept exactly.';
        return finding(profile, profile.check, message, 'Stay within ±2^53.', line, number);
      }
      nodes++;
      at += number.length - 1;
    } else if (char === 't' || char === 'f' || char === 'n') {
      nodes++;
      while (/[a-z]/.test(text[at + 1] ?? '')) at++;
    }
    if (nodes > profile.nodes) {
      const message = `${profile.file} has more than ${profile.nodes} values.`;
      return finding(profile, profile.deepCheck, message, 'Make it smaller.', line);
    }
  }
  return null;
}

function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return -1;
}

interface Problem {
  readonly name?: boolean;
  readonly message: string;
  readonly fix: string;
}

function decode(literal: string): string | null {
  try {
    const value: unknown = JSON.parse(literal);
    return typeof value === 'string' ? value : null;
  } catch {
    return null;
  }
}

function textProblem(literal: string): Problem | null {
  const text = decode(literal);
  if (text === null) return { message: 'A string has an invalid escape.', fix: 'Correct the string.' };
  if (text.includes('\0') || !text.isWellFormed()) {
    return { message: 'A string holds a NUL or half a character.', fix: 'Remove it; the database refuses both.' };
  }
  return null;
}

function keyProblem(literal: string, level: Level | undefined): Problem | null {
  const key = decode(literal);
  const problem = textProblem(literal);
  if (problem !== null || key === null) return problem;
  if (FORBIDDEN_KEYS.has(key)) {
    return { name: true, message: `The key "${key}" is not accepted.`, fix: 'Use another name.' };
  }
  if (level?.keys?.has(key) === true) {
    return { message: `The key "${key.slice(0, 80)}" stands twice in one object.`, fix: 'Keep one of the two.' };
  }
  level?.keys?.add(key);
  return null;
}

function numberFits(text: string): boolean {
  const value = Number(text);
  if (!Number.isFinite(value)) return Number.isNaN(value);
  return Math.abs(value) <= 2 ** 53;
}
