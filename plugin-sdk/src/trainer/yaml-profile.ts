/**
 * Reads the part of YAML that a manifest needs: block and flow mappings and sequences, plain and quoted scalars, comments, and the core
 * schema for scalars (`no` stays a string). Anchors, aliases, tags, block scalars and multi-line scalars are refused with the line number.
 */

export type YamlValue = null | boolean | number | string | YamlValue[] | { [key: string]: YamlValue };

interface Line {
  readonly number: number;
  readonly indent: number;
  readonly text: string;
}

class YamlError extends Error {
  constructor(line: number, what: string) {
    super(`line ${line}: ${what}`);
  }
}

export function parseYaml(text: string): YamlValue {
  const lines = cutLines(text);
  if (lines.length === 0) return null;
  const reader = new BlockReader(lines);
  const value = reader.block(lines[0]?.indent ?? 0, 0);
  reader.expectEnd();
  return value;
}

function cutLines(text: string): Line[] {
  const result: Line[] = [];
  text.split(/\r?\n/).forEach((raw, index) => {
    const body = withoutComment(raw).trimEnd();
    if (body.trim() === '' || (index === 0 && body === '---')) return;
    const indent = body.length - body.trimStart().length;
    if (body.slice(0, indent).includes('\t')) throw new YamlError(index + 1, 'tabs cannot indent');
    result.push({ number: index + 1, indent, text: body.trimStart() });
  });
  return joinFlow(result);
}

function withoutComment(line: string): string {
  let quote = '';
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at);
    if (quote !== '') {
      if (char === '\\' && quote === '"') at += 1;
      else if (char === quote) quote = '';
    } else if ((char === '"' || char === "'") && /^$|[\s[{,:-]/.test(line.slice(at - 1, at))) quote = char;
    else if (char === '#' && (at === 0 || /\s/.test(line.charAt(at - 1)))) return line.slice(0, at);
  }
  return line;
}

/** A flow collection may run over several lines: they are joined into the first one. */
function joinFlow(lines: readonly Line[]): Line[] {
  const result: Line[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const first = lines[at];
    if (first === undefined) break;
    let text = first.text;
    let open = openBrackets(text);
    while (open > 0) {
      at += 1;
      const next = lines[at];
      if (next === undefined) throw new YamlError(first.number, 'a bracket is never closed');
      text += ` ${next.text}`;
      open = openBrackets(text);
    }
    result.push({ ...first, text });
  }
  return result;
}

function openBrackets(text: string): number {
  let depth = 0;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (quote !== '') {
      if (char === '\\' && quote === '"') at += 1;
      else if (char === quote) quote = '';
    } else if ((char === '"' || char === "'") && /^$|[\s[{,:-]/.test(text.slice(at - 1, at))) quote = char;
    else if (char === '[' || char === '{') depth += 1;
    else if (char === ']' || char === '}') depth -= 1;
  }
  return depth;
}

/** `key: rest` or null when the text is no mapping entry. */
function splitEntry(text: string, line: number): { key: string; rest: string } | null {
  const quoted = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*:(?:\s+(.*))?$/.exec(text);
  if (quoted !== null) return { key: String(scalar(quoted[1] ?? '', line)), rest: (quoted[2] ?? '').trim() };
  if (/^["'[{]/.test(text)) return null;
  const plain = /^([^:]*(?::(?!\s|$)[^:]*)*):(?:\s+(.*))?$/.exec(text);
  if (plain === null) return null;
  return { key: (plain[1] ?? '').trim(), rest: (plain[2] ?? '').trim() };
}

class BlockReader {
  readonly #lines: readonly Line[];
  #at = 0;

  constructor(lines: readonly Line[]) {
    this.#lines = lines;
  }

  expectEnd(): void {
    const left = this.#lines[this.#at];
    if (left !== undefined) throw new YamlError(left.number, 'this line does not belong to the block above it');
  }

  block(indent: number, depth: number): YamlValue {
    const line = this.#lines[this.#at];
    if (line === undefined) return null;
    if (depth > 16) throw new YamlError(line.number, 'nested deeper than 16');
    if (line.text === '-' || line.text.startsWith('- ')) return this.#sequence(indent, depth);
    if (splitEntry(line.text, line.number) !== null) return this.#mapping(indent, depth);
    this.#at += 1;
    return inline(line.text, line.number);
  }

  #sequence(indent: number, depth: number): YamlValue[] {
    const items: YamlValue[] = [];
    for (;;) {
      const line = this.#lines[this.#at];
      if (line === undefined || line.indent !== indent || !(line.text === '-' || line.text.startsWith('- ')))
        return items;
      const rest = line.text.slice(1).trimStart();
      if (rest === '') {
        this.#at += 1;
        items.push(this.#nested(indent, depth));
      } else if (splitEntry(rest, line.number) !== null) {
        items.push(this.#mapping(indent + (line.text.length - rest.length), depth + 1, rest));
      } else {
        this.#at += 1;
        items.push(inline(rest, line.number));
      }
    }
  }

  /** `first`: text of the first entry when it stands behind a dash. */
  #mapping(indent: number, depth: number, first?: string): { [key: string]: YamlValue } {
    const result: { [key: string]: YamlValue } = {};
    let head = first;
    for (;;) {
      const line = this.#lines[this.#at];
      if (line === undefined || (head === undefined && line.indent !== indent)) return result;
      const entry = splitEntry(head ?? line.text, line.number);
      if (entry === null) {
        if (head === undefined && line.text.startsWith('-')) return result;
        throw new YamlError(line.number, 'expected "key: value"');
      }
      head = undefined;
      if (Object.hasOwn(result, entry.key)) throw new YamlError(line.number, `key "${entry.key}" is written twice`);
      this.#at += 1;
      const value = entry.rest === '' ? this.#nested(indent, depth, true) : inline(entry.rest, line.number);
      Object.defineProperty(result, entry.key, { value, enumerable: true, writable: true, configurable: true });
    }
  }

  /** Value on the lines below. A sequence may stand at the same indent as its key. */
  #nested(indent: number, depth: number, underKey = false): YamlValue {
    const next = this.#lines[this.#at];
    if (next === undefined) return null;
    const dash = underKey && next.indent === indent && (next.text === '-' || next.text.startsWith('- '));
    if (next.indent <= indent && !dash) return null;
    return this.block(next.indent, depth + 1);
  }
}

function inline(text: string, line: number): YamlValue {
  const reader = new FlowReader(text, line);
  if (!/^[[{]/.test(text)) return scalar(text, line);
  const value = reader.value(0);
  reader.expectEnd();
  return value;
}

class FlowReader {
  readonly #text: string;
  readonly #line: number;
  #at = 0;

  constructor(text: string, line: number) {
    this.#text = text;
    this.#line = line;
  }

  expectEnd(): void {
    this.#space();
    if (this.#at < this.#text.length) throw new YamlError(this.#line, `unexpected "${this.#text.slice(this.#at)}"`);
  }

  value(depth: number): YamlValue {
    if (depth > 16) throw new YamlError(this.#line, 'nested deeper than 16');
    this.#space();
    const char = this.#text.charAt(this.#at);
    if (char === '[') return this.#list(depth);
    if (char === '{') return this.#map(depth);
    return scalar(this.#token(/[,\]}]/), this.#line);
  }

  #list(depth: number): YamlValue[] {
    const items: YamlValue[] = [];
    this.#at += 1;
    while (!this.#closes(']')) items.push(this.value(depth + 1));
    return items;
  }

  #map(depth: number): { [key: string]: YamlValue } {
    const result: { [key: string]: YamlValue } = {};
    this.#at += 1;
    while (!this.#closes('}')) {
      const key = String(scalar(this.#token(/[:,\]}]/), this.#line));
      if (this.#text.charAt(this.#at) !== ':') throw new YamlError(this.#line, `"${key}" has no value`);
      this.#at += 1;
      if (Object.hasOwn(result, key)) throw new YamlError(this.#line, `key "${key}" is written twice`);
      const value = this.value(depth + 1);
      Object.defineProperty(result, key, { value, enumerable: true, writable: true, configurable: true });
    }
    return result;
  }

  #closes(bracket: string): boolean {
    this.#space();
    if (this.#text.charAt(this.#at) === ',') {
      this.#at += 1;
      this.#space();
    }
    if (this.#at >= this.#text.length) throw new YamlError(this.#line, `"${bracket}" is missing`);
    if (this.#text.charAt(this.#at) !== bracket) return false;
    this.#at += 1;
    return true;
  }

  #token(end: RegExp): string {
    this.#space();
    const rest = this.#text.slice(this.#at);
    const quoted = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')/.exec(rest)?.[0];
    let length = quoted?.length ?? 0;
    if (quoted === undefined) {
      // A colon ends a plain key only when a space follows: values such as https://… keep theirs.
      while (length < rest.length) {
        const char = rest.charAt(length);
        if (end.test(char) && (char !== ':' || /^:(\s|$)/.test(rest.slice(length)))) break;
        length += 1;
      }
    }
    this.#at += length;
    this.#space();
    return rest.slice(0, length).trim();
  }

  #space(): void {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at += 1;
  }
}

function scalar(text: string, line: number): YamlValue {
  if (text.startsWith('"')) {
    if (!/^"(?:[^"\\]|\\.)*"$/.test(text)) throw new YamlError(line, 'text in double quotes must end on the same line');
    return String(JSON.parse(text));
  }
  if (text.startsWith("'")) {
    if (!/^'(?:[^']|'')*'$/.test(text)) throw new YamlError(line, 'text in quotes must end on the same line');
    return text.slice(1, -1).replaceAll("''", "'");
  }
  if (/^[&*!|>%@`]/.test(text))
    throw new YamlError(line, `"${text.charAt(0)}" is not allowed at the start of a value; put quotes around it`);
  if (text === '' || text === '~' || /^(null|Null|NULL)$/.test(text)) return null;
  if (/^(true|True|TRUE)$/.test(text)) return true;
  if (/^(false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$/.test(text)) return Number(text);
  return text;
}
