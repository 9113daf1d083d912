import { Compile } from 'typebox/compile';
import { EVENT_SCHEMAS, MAX_EVENT_BYTES, type AnyEvent, type EventType, type TrainerEvent } from './event.ts';

/**
 * Lines ⇄ events. Bounded: a line is at most 64 KiB, nesting is limited by that. Never throws: what is not an event comes back as `bad`
 * with the reason, so that a caller can keep the text as log and go on.
 */

export type ParsedLine =
  | { readonly ok: true; readonly event: AnyEvent; readonly line: string }
  | { readonly ok: false; readonly reason: string; readonly line: string };

interface EventValidator {
  Check(value: unknown): boolean;
  Errors(value: unknown): { instancePath: string; message: string }[];
}
const validators = new Map<EventType, EventValidator>();

/** Compiled at first use: a process that reads no events does not pay for them at its start. */
function validatorOf(type: EventType): EventValidator {
  const known = validators.get(type);
  if (known !== undefined) return known;
  const made: EventValidator = Compile(EVENT_SCHEMAS[type]);
  validators.set(type, made);
  return made;
}

function isKnownType(type: string): type is EventType {
  return Object.hasOwn(EVENT_SCHEMAS, type);
}

function bad(line: string, reason: string): ParsedLine {
  return { ok: false, reason, line };
}

export function parseEventLine(line: string): ParsedLine {
  if (line.length > MAX_EVENT_BYTES) return bad(line.slice(0, 1024), `longer than ${MAX_EVENT_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return bad(line, 'not a JSON object');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return bad(line, 'not a JSON object');
  const type: unknown = Reflect.get(value, 'type');
  const seq: unknown = Reflect.get(value, 'seq');
  if (typeof type !== 'string' || type.length > 64) return bad(line, 'no type');
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 1)
    return bad(line, 'seq is not a number from 1 on');
  if (Reflect.get(value, 'v') !== 1) return bad(line, 'v is not 1');
  if (!isKnownType(type))
    return { ok: true, event: { v: 1, seq, ts: String(Reflect.get(value, 'ts')), type, other: true }, line };
  const validator = validatorOf(type);
  if (!validator.Check(value)) {
    const first = validator.Errors(value)[0];
    return bad(
      line,
      `${type}: ${first === undefined ? 'wrong shape' : `${first.instancePath || '/'} ${first.message}`}`,
    );
  }
  return { ok: true, event: value as TrainerEvent, line };
}

/** Cuts a byte stream into lines; bounded memory: an endless line is cut and reported once. Keeps the byte offset of what was consumed. */
export class LineCutter {
  #rest: Buffer = Buffer.alloc(0);
  #skipping = false;
  /** Bytes consumed as whole lines since the start. */
  consumed = 0;

  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let data = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const end = data.indexOf(10);
      if (end < 0) break;
      if (!this.#skipping && end > 0) lines.push(data.subarray(0, end).toString('utf8'));
      this.#skipping = false;
      this.consumed += end + 1;
      data = data.subarray(end + 1);
    }
    if (data.length > MAX_EVENT_BYTES + 1) {
      if (!this.#skipping) lines.push(data.subarray(0, MAX_EVENT_BYTES + 1).toString('utf8'));
      this.#skipping = true;
      this.consumed += data.length;
      data = Buffer.alloc(0);
    }
    this.#rest = Buffer.from(data);
    return lines;
  }

  /** The unfinished last line, for a trainer that died inside a write. */
  rest(): string {
    return this.#skipping ? '' : this.#rest.toString('utf8');
  }
}
