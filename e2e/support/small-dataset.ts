import { uploadDatasetForm } from '@trainyard/plugin-sdk/api';
import { writeZip } from '@trainyard/plugin-sdk/archive';
import { deflateSync, crc32 } from 'node:zlib';
import type { Person } from './people.ts';

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

/** A real grey PNG of 8 × 8 pixels. */
export function greyPng(pixel: (x: number, y: number) => number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(8, 0);
  header.writeUInt32BE(8, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const rows = Array.from({ length: 8 }, (_, y) => [0, ...Array.from({ length: 8 }, (_, x) => pixel(x, y) & 255)]);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.from(rows.flat()))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Two classes that any trainer tells apart: light on the left, light on the right. */
export function stripes(): { path: string; bytes: Buffer }[] {
  return Array.from({ length: 40 }, (_, index) => {
    const left = index % 2 === 0;
    const bytes = greyPng((x, y) => (x < 4 === left ? 200 : 30) + ((x * 7 + y * 13 + index * 5) % 20));
    return { path: `${left ? 'left' : 'right'}/${index}.png`, bytes };
  });
}

/** Uploads pictures as an archive in a form; answers the reply as it came. */
export async function uploadPictures(
  person: Person,
  name: string,
  files: readonly { path: string; bytes: Buffer }[],
): Promise<Response> {
  const zip = writeZip(files);
  const form = new FormData();
  form.append('name', name);
  form.append('archive', new Blob([new Uint8Array(zip)], { type: 'application/zip' }), 'pictures.zip');
  return person.client.request(uploadDatasetForm.path, { method: 'POST', body: form });
}

/** The id of a new dataset with the two stripes. */
export async function makeStripes(person: Person): Promise<string> {
  const response = await uploadPictures(person, 'Stripes', stripes());
  const body: unknown = await response.json();
  if (body !== null && typeof body === 'object' && 'dataset' in body) {
    const { dataset } = body;
    if (dataset !== null && typeof dataset === 'object' && 'id' in dataset) return String(dataset.id);
  }
  throw new Error(`The dataset was not taken: ${JSON.stringify(body)}`);
}
