/** Each box of a picture as a picture of its own: the one converter that opens pixels, so it runs where pixels may be decoded. PNG only. */
import { decodePng } from '../trainer/png.ts';
import type { DatasetSource } from './dataset-source.ts';
import { encodePng8 } from './index-png.ts';
import type { Item } from './labelled-item.ts';
import { throwNote } from './reading.ts';

/** The items and, by their image name, the bytes of the new pictures. */
export async function cropsOf(
  source: DatasetSource,
  item: Item,
): Promise<{ items: Item[]; pictures: Map<string, Uint8Array> }> {
  const pictures = new Map<string, Uint8Array>();
  const bytes = await source.read(item.image);
  if (bytes === null || !item.image.toLowerCase().endsWith('.png'))
    throwNote({
      check: 'dataset-image-undecodable',
      file: item.image,
      message: 'Crops are cut from PNG pictures only.',
      fix: 'Convert the pictures to PNG first.',
    });
  const picture = decodePng(bytes);
  const items = item.labels.flatMap((label, at): Item[] => {
    if (label.kind !== 'box' || label.crowd === true) return [];
    const [x1, y1] = [Math.max(0, Math.floor(label.box[0])), Math.max(0, Math.floor(label.box[1]))];
    const [x2, y2] = [Math.min(item.width, Math.ceil(label.box[2])), Math.min(item.height, Math.ceil(label.box[3]))];
    const [width, height] = [x2 - x1, y2 - y1];
    if (width < 1 || height < 1) return [];
    const { channels } = picture;
    const data = new Uint8Array(width * height * channels);
    for (let y = 0; y < height; y += 1) {
      const from = ((y1 + y) * picture.width + x1) * channels;
      data.set(picture.pixels.subarray(from, from + width * channels), y * width * channels);
    }
    const image = `${item.image.replace(/\.png$/i, '')}-${at + 1}.png`;
    pictures.set(image, encodePng8({ width, height, channels, data }));
    return [{ image, width, height, split: item.split, labels: [{ kind: 'class', class: label.class }] }];
  });
  return { items, pictures };
}
