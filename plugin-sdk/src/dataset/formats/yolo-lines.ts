/** Rows of numbers as the four YOLO formats share them. */
import type { Item, Label, Point } from '../labelled-item.ts';
import { besidePath, readListed, readText, type Reading, type Report } from '../reading.ts';
import type { FormatWriter, OpenWriter } from '../writing.ts';

export interface YoloRow {
  readonly class: number;
  /** Numbers after the class, all finite. */
  readonly values: readonly number[];
  readonly file: string;
  readonly line: number;
  readonly text: string;
}
interface Size {
  readonly width: number;
  readonly height: number;
}
export interface YoloFormat {
  /** How a row should look, in words. */
  readonly shape: string;
  /** Is this number of columns (with the class) right? */
  fits(columns: number): boolean;
  /** Positions in `values` that are no coordinates. */
  isCoordinate(at: number): boolean;
  /** Null when the row cannot be one; it has reported why. */
  read(row: YoloRow, size: Size, report: Report): Label | null;
  /** Numbers after the class; null when this label has no place in the format. */
  write(label: Label, size: Size): { class: number; values: readonly number[] } | null;
}

const BOX_COLUMNS = 5;

export async function* readYolo(format: YoloFormat, reading: Reading, split: string): AsyncGenerator<Item> {
  for await (const { image, width, height } of readListed(reading, split)) {
    const path = besidePath(reading.file, split, image, 'labels', 'txt');
    const text = await readText(reading.source, path);
    const rows = text === null ? [] : parseRows(format, text, path, reading);
    const labels = rows.flatMap((row) => format.read(row, { width, height }, reading.report) ?? []);
    yield { image, width, height, split, labels };
  }
}

function parseRows(format: YoloFormat, text: string, file: string, { file: { classes }, report }: Reading): YoloRow[] {
  const seen = new Map<string, number>();
  const widths = new Set<'box' | 'ring'>();
  const rows: YoloRow[] = [];
  for (const [at, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '') continue;
    const where = { file, line: at + 1, evidence: line };
    const words = line.split(/\s+/);
    const first = seen.get(words.join(' '));
    if (first !== undefined) {
      const message = `The row is the same as row ${first}.`;
      report({ check: 'dataset-duplicate-row', ...where, message, fix: 'Keep one of them.' });
      continue;
    }
    seen.set(words.join(' '), at + 1);
    widths.add(words.length === BOX_COLUMNS ? 'box' : 'ring');
    const numbers = words.map(Number);
    const strange = words.find((word, i) => !Number.isFinite(numbers[i]));
    if (strange !== undefined) {
      const message = `"${strange}" is not a finite number.`;
      report({ check: 'dataset-number-finite', ...where, message, fix: 'Write plain numbers such as 0.25.' });
      continue;
    }
    if (!format.fits(words.length)) {
      const mixed =
        widths.size === 2 && (words.length === BOX_COLUMNS || (words.length >= 7 && words.length % 2 === 1));
      report({
        check: mixed ? 'dataset-mixed-rows' : 'dataset-column-count',
        ...where,
        message: mixed
          ? 'The file mixes box rows and polygon rows.'
          : `The row has ${words.length} columns; expected: ${format.shape}.`,
        fix: mixed ? 'Use one kind of row in the whole dataset.' : `Write ${format.shape}.`,
      });
      continue;
    }
    const [index = 0, ...values] = numbers;
    if (!Number.isInteger(index) || index < 0 || index >= classes.length) {
      const message = `Class ${index} is not in dataset.json, which has classes 0 to ${classes.length - 1}.`;
      report({ check: 'dataset-label-index', ...where, message, fix: 'Mend the number or add the class.' });
      continue;
    }
    const outside = values.find((value, i) => format.isCoordinate(i) && (value < 0 || value > 1));
    if (outside !== undefined) {
      const message = `The coordinate ${outside} is outside 0 to 1.`;
      const fix = 'Divide by the width or height of the picture and cut at its border.';
      report({ check: 'dataset-coordinate-range', ...where, message, fix });
      continue;
    }
    rows.push({ class: index, values, file, line: at + 1, text: line });
  }
  return rows;
}

export function openYolo(format: YoloFormat): OpenWriter {
  return (sink, _header, placed): FormatWriter => {
    const splits = new Set<string>();
    return {
      add: async (item) => {
        splits.add(item.split);
        const image = await placed.place(item, `images/${item.split}`);
        const lines = new Set<string>();
        for (const label of item.labels) {
          const row = format.write(label, item);
          if (row === null) throw new Error(`${item.image}: a ${label.kind} label does not fit ${format.shape}.`);
          lines.add([row.class, ...row.values.map(shortNumber)].join(' '));
        }
        const path = image.replace(/^images\//, 'labels/').replace(/\.[^./]+$/, '.txt');
        await sink.write(path, [...lines].map((line) => `${line}\n`).join(''));
      },
      end: () =>
        Promise.resolve(
          Object.fromEntries(
            [...splits].map((split) => [split, { images: `images/${split}`, annotations: `labels/${split}` }]),
          ),
        ),
    };
  };
}

/** Seven places: 0.001 px on a picture of 10,000. */
function shortNumber(value: number): string {
  return String(Number(value.toFixed(7)));
}

function cut(value: number): number {
  return Math.min(1, Math.max(0, value));
}

export function scaled(points: readonly Point[], { width, height }: Size): number[] {
  return points.flatMap(([x, y]) => [cut(x / width), cut(y / height)]);
}

export function pointsOf(values: readonly number[], { width, height }: Size): Point[] {
  return Array.from({ length: Math.floor(values.length / 2) }, (_, i): Point => [
    (values[2 * i] ?? 0) * width,
    (values[2 * i + 1] ?? 0) * height,
  ]);
}
