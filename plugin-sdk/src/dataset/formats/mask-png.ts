/** mask-png@1: one 8-bit picture of class indices beside each picture. */
import { decodeMask, encodeMask } from '../index-png.ts';
import type { IndexMask, Item } from '../labelled-item.ts';
import { besidePath, readListed, type Reading } from '../reading.ts';
import type { FormatWriter, OpenWriter } from '../writing.ts';

export const IGNORE = 255;

export async function* readMasks(reading: Reading, split: string): AsyncGenerator<Item> {
  for await (const { image, width, height } of readListed(reading, split)) {
    const path = besidePath(reading.file, split, image, 'masks', 'png');
    const mask = await readMask(reading, path, image);
    if (mask === null) continue;
    if (mask.width !== width || mask.height !== height) {
      reading.report({
        check: 'dataset-mask-size',
        file: path,
        message: `The mask is ${mask.width} × ${mask.height}, the picture ${image} is ${width} × ${height}.`,
        fix: 'Save the mask in the size of the picture, without smoothing.',
      });
      continue;
    }
    if (hasStrangeValue(mask, reading, path)) continue;
    yield { image, width, height, split, labels: [{ kind: 'mask', mask }] };
  }
}

async function readMask({ source, report }: Reading, path: string, image: string): Promise<IndexMask | null> {
  const bytes = await source.read(path);
  let message = `The mask of ${image} is missing.`;
  if (bytes !== null) {
    try {
      return decodeMask(bytes);
    } catch (error) {
      message = error instanceof Error ? error.message : String(error);
    }
  }
  const fix = 'Save it as an 8-bit PNG with one channel whose values are class indices.';
  report({ check: 'dataset-annotation-unreadable', file: path, message, fix });
  return null;
}

/** Row of the first wrong pixel as the line: it is where to look. */
function hasStrangeValue(mask: IndexMask, { file, report }: Reading, path: string): boolean {
  const at = mask.data.findIndex((value) => value >= file.classes.length && value !== IGNORE);
  if (at < 0) return false;
  const [x, y] = [at % mask.width, Math.floor(at / mask.width)];
  report({
    check: 'dataset-mask-value',
    file: path,
    line: y + 1,
    message: `The value ${mask.data[at]} at x ${x}, y ${y} is no class (0 to ${file.classes.length - 1}) and not ${IGNORE}.`,
    fix: `Write class indices of dataset.json, and ${IGNORE} where nothing is to be learnt.`,
  });
  return true;
}

export function openMasks(...[sink, , placed]: Parameters<OpenWriter>): FormatWriter {
  const splits = new Set<string>();
  return {
    add: async (item) => {
      const label = item.labels.find((one) => one.kind === 'mask');
      if (label === undefined) throw new Error(`${item.image} has no mask.`);
      splits.add(item.split);
      const image = await placed.place(item, `images/${item.split}`);
      const path = image.replace(/^images\//, 'masks/').replace(/\.[^./]+$/, '.png');
      await sink.write(path, encodeMask(label.mask));
    },
    end: () =>
      Promise.resolve(
        Object.fromEntries(
          [...splits].map((split) => [split, { images: `images/${split}`, annotations: `masks/${split}` }]),
        ),
      ),
  };
}
