/** Reads the list of names of a zip in the browser, and small texts of it, without sending anything. Null when it is no plain zip. */
export interface ZipList {
  readonly names: readonly string[];
  text(name: string, most: number): Promise<string | null>;
}

interface Place {
  readonly offset: number;
  readonly packed: number;
  readonly method: number;
}

const TAIL = 65_557;

async function bytesOf(file: File, from: number, to: number): Promise<DataView> {
  return new DataView(await file.slice(from, to).arrayBuffer());
}

export async function listZip(file: File): Promise<ZipList | null> {
  const start = Math.max(0, file.size - TAIL);
  const tail = await bytesOf(file, start, file.size);
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) return null;
  const [size, from] = [tail.getUint32(end + 12, true), tail.getUint32(end + 16, true)];
  // Larger than the old format can say: the hub reads it, this preview does not.
  if (from === 0xffffffff || from + size > file.size) return null;
  const list = await bytesOf(file, from, from + size);
  const places = new Map<string, Place>();
  for (let at = 0; at + 46 <= list.byteLength && list.getUint32(at, true) === 0x02014b50;) {
    const [name, extra, note] = [28, 30, 32].map((field) => list.getUint16(at + field, true));
    const path = new TextDecoder().decode(new Uint8Array(list.buffer, list.byteOffset + at + 46, name));
    if (!path.endsWith('/'))
      places.set(path, {
        offset: list.getUint32(at + 42, true),
        packed: list.getUint32(at + 20, true),
        method: list.getUint16(at + 10, true),
      });
    at += 46 + (name ?? 0) + (extra ?? 0) + (note ?? 0);
  }
  return {
    names: [...places.keys()],
    text: async (name, most) => {
      const place = places.get(name);
      return place === undefined ? null : readText(file, place, most);
    },
  };
}

async function readText(file: File, { offset, packed, method }: Place, most: number): Promise<string | null> {
  const head = await bytesOf(file, offset, offset + 30);
  const begin = offset + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const stored = file.slice(begin, begin + packed);
  if (method === 0) return stored.slice(0, most).text();
  if (method !== 8) return null;
  const reader = stored.stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (let next = await reader.read(); !next.done && text.length < most; next = await reader.read())
    text += decoder.decode(next.value, { stream: true });
  await reader.cancel();
  return text;
}
