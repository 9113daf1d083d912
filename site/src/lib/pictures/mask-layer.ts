import { decodeRle, type IndexMask, type Rle } from '@trainyard/plugin-sdk/runtime';

export interface ColouredMask {
  readonly mask: IndexMask;
  /** Colour of a value, null = see through. */
  readonly colourOf: (value: number) => readonly [number, number, number] | null;
}

const ALPHA = 115;

export function ofRle(rle: Rle, colour: readonly [number, number, number]): ColouredMask {
  return { mask: decodeRle(rle), colourOf: (value) => (value === 0 ? null : colour) };
}

/** Paints masks over each other, each in its own size stretched to the canvas. */
export function paintMasks(canvas: HTMLCanvasElement, masks: readonly ColouredMask[]): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  for (const { mask, colourOf } of masks) {
    const image = new ImageData(mask.width, mask.height);
    mask.data.forEach((value, at) => {
      const colour = colourOf(value);
      if (colour === null) return;
      image.data.set([...colour, ALPHA], at * 4);
    });
    const layer = new OffscreenCanvas(mask.width, mask.height);
    layer.getContext('2d')?.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(layer, 0, 0, canvas.width, canvas.height);
  }
}

/** An 8-bit picture of class indices; a browser gives its one channel as red. */
export async function readIndexPicture(url: string): Promise<IndexMask> {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(`${url} answered ${reply.status}`);
  const bitmap = await createImageBitmap(await reply.blob(), { colorSpaceConversion: 'none' });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('this browser has no canvas');
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const values = new Uint8Array(bitmap.width * bitmap.height);
  for (let at = 0; at < values.length; at += 1) values[at] = data[at * 4] ?? 0;
  return { width: bitmap.width, height: bitmap.height, data: values };
}
