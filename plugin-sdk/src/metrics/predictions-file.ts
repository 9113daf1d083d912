import { createReadStream } from 'node:fs';
import { open, readFile, realpath, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { decodeMask } from '../dataset/index-png.ts';
import type { IndexMask } from '../dataset/labelled-item.ts';
import { PredictionsError } from './predictions-error.ts';
import { LineProblem, parseLine, type LineRules, type PredictionLine } from './prediction-line.ts';

const LONGEST_LINE = 64 * 1024 * 1024;
const MOST_LINES = 5_000_000;

interface Place {
  readonly line: number;
  readonly from: number;
  readonly bytes: number;
}

/** predictions.jsonl by picture. Only where each line lies is kept, so the file may be larger than the memory. */
export class PredictionsFile {
  /** For messages: the last part of the path. */
  readonly name: string;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #rules: LineRules;
  readonly #places: ReadonlyMap<string, Place>;

  private constructor(path: string, handle: FileHandle, rules: LineRules, places: ReadonlyMap<string, Place>) {
    this.name = basename(path);
    this.#path = path;
    this.#handle = handle;
    this.#rules = rules;
    this.#places = places;
  }

  /** Reads it once, so that a doubled or broken line is told before anything is computed. */
  static async open(path: string, rules: LineRules): Promise<PredictionsFile> {
    const places = new Map<string, Place>();
    const file = basename(path);
    try {
      for await (const { text, ...place } of linesOf(path, file)) {
        const { image } = parseAt(text, rules, file, place.line);
        const earlier = places.get(image);
        if (earlier !== undefined)
          throw new PredictionsError(
            'prediction-doubled',
            { file, line: place.line },
            `${image} has a line already (line ${earlier.line}).`,
            'Write one line per picture.',
          );
        places.set(image, place);
      }
    } catch (error) {
      if (error instanceof PredictionsError || !(error instanceof Error && 'code' in error)) throw error;
      const why = error.code === 'ENOENT' ? 'The file is missing.' : `It cannot be read: ${String(error.code)}.`;
      throw new PredictionsError('prediction-invalid', { file }, why, 'Write output/predictions.jsonl.');
    }
    return new PredictionsFile(path, await open(path), rules, places);
  }

  /** Takes the line of a picture. */
  async read(image: string): Promise<{ line: number; prediction: PredictionLine } | null> {
    const place = this.#places.get(image);
    if (place === undefined) return null;
    const bytes = Buffer.alloc(place.bytes);
    await this.#handle.read(bytes, 0, bytes.length, place.from);
    return { line: place.line, prediction: parseAt(bytes.toString('utf8'), this.#rules, this.name, place.line) };
  }

  /** A picture that `known` does not hold, with its line. */
  firstOutside(known: ReadonlySet<string>): { image: string; line: number } | null {
    for (const [image, { line }] of this.#places) if (!known.has(image)) return { image, line };
    return null;
  }

  /** The mask that a line names. The path was written by a stranger, so it must end in the folder of the file. */
  async readMask(path: string, line: number): Promise<IndexMask> {
    const wrong = (message: string): PredictionsError =>
      new PredictionsError('prediction-mask', { file: this.name, line }, message, 'Write masks/NNNN.png beside it.');
    const folder = await realpath(dirname(this.#path));
    const real = await realpath(join(folder, path)).catch(() => null);
    if (real === null) throw wrong(`The mask ${path} is missing.`);
    if (!real.startsWith(`${folder}${sep}`)) throw wrong(`The mask ${path} is not inside the folder.`);
    try {
      return decodeMask(await readFile(real));
    } catch (error) {
      throw wrong(`The mask ${path} cannot be read. ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

function parseAt(text: string, rules: LineRules, file: string, line: number): PredictionLine {
  try {
    return parseLine(text, rules);
  } catch (error) {
    if (!(error instanceof LineProblem)) throw error;
    throw new PredictionsError(error.code, { file, line }, error.message, error.fix);
  }
}

/** Lines that are not empty, with their place in bytes. */
async function* linesOf(path: string, file: string): AsyncGenerator<Place & { readonly text: string }> {
  let [line, from] = [0, 0];
  let parts: Buffer[] = [];
  function* ended(): Generator<Place & { readonly text: string }> {
    const whole = Buffer.concat(parts);
    line += 1;
    const text = whole.toString('utf8');
    if (text.trim() !== '') yield { line, from, bytes: whole.length, text };
    from += whole.length + 1;
    parts = [];
  }
  for await (const chunk of createReadStream(path)) {
    let rest: Buffer = Buffer.from(chunk);
    for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
      parts.push(rest.subarray(0, at));
      yield* ended();
      rest = rest.subarray(at + 1);
    }
    parts.push(rest);
    const long = parts.reduce((sum, part) => sum + part.length, 0) > LONGEST_LINE;
    if (long || line > MOST_LINES)
      throw new PredictionsError('prediction-invalid', { file, line: line + 1 }, 'This is too long.', 'Write less.');
  }
  yield* ended();
}
