import {
  EVENT_SCHEMAS,
  LineCutter,
  MAX_EVENT_BYTES,
  parseEventLine,
  type AnyEvent,
  type TrainerEvent,
} from '@trainyard/plugin-sdk';
import { MissingOutput, openOutput } from '@trainyard/runner/work';

/** A line of `output/events.jsonl`, read strictly: an event, or why it is none. */
export type EventLine =
  | { readonly line: number; readonly event: AnyEvent; readonly seq: number; readonly strange: readonly string[] }
  | { readonly line: number; readonly event: null; readonly reason: string; readonly text: string };

export interface EventFile {
  readonly events: readonly EventLine[];
  readonly problem: 'absent' | 'unreadable' | 'too-large' | null;
}

const MOST_BYTES = 16 * 1024 * 1024;
const NONE: EventFile = { events: [], problem: 'absent' };

/** Reads what a trainer left. Never follows a link; never throws for what the trainer did. */
export async function readEventFile(jobFolder: string): Promise<EventFile> {
  let file: Awaited<ReturnType<typeof openOutput>>;
  try {
    file = await openOutput(jobFolder, 'output/events.jsonl');
  } catch (error) {
    return error instanceof MissingOutput ? NONE : { events: [], problem: 'unreadable' };
  }
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, MOST_BYTES));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    const events = readEvents(bytes.subarray(0, bytesRead));
    return { events, problem: size > MOST_BYTES ? 'too-large' : null };
  } finally {
    await file.close();
  }
}

/** Pure. A last line without its end counts as a line, and as broken. */
export function readEvents(bytes: Uint8Array): EventLine[] {
  const cutter = new LineCutter();
  const texts = cutter.push(bytes);
  const rest = cutter.rest();
  const lines = texts.map((text, index) => readLine(text, index + 1));
  if (rest !== '') {
    lines.push({ line: texts.length + 1, event: null, reason: 'the line does not end', text: rest.slice(0, 200) });
  }
  return lines;
}

function readLine(text: string, line: number): EventLine {
  if (Buffer.byteLength(text) > MAX_EVENT_BYTES) {
    return { line, event: null, reason: `longer than ${MAX_EVENT_BYTES} bytes`, text: text.slice(0, 200) };
  }
  const parsed = parseEventLine(text);
  if (!parsed.ok) return { line, event: null, reason: parsed.reason, text: parsed.line.slice(0, 200) };
  const { event } = parsed;
  if ('other' in event) {
    const strange = event.type.startsWith('x-') ? [] : [`the type "${event.type}" is not known`];
    return { line, event, seq: event.seq, strange };
  }
  return { line, event, seq: event.seq, strange: strangeFields(event) };
}

function strangeFields(event: TrainerEvent): string[] {
  if (event.type === 'gap') return ['the type "gap" is for the platform only'];
  const known = Object.keys(EVENT_SCHEMAS[event.type].properties);
  return Object.keys(event)
    .filter((field) => !known.includes(field) && !field.startsWith('x-'))
    .map((field) => `the field "${field}" is not known in "${event.type}"`);
}

/** The events of a file that are of the contract's own types. */
export function trainerEvents(lines: readonly EventLine[]): TrainerEvent[] {
  return lines.flatMap(({ event }) => (event === null || 'other' in event ? [] : [event]));
}
