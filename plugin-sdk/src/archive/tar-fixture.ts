import { gzipSync } from 'node:zlib';
import { BLOCK } from './tar-header.ts';

/** Raw tar blocks for tests: also what no writer would ever make. */

export interface RawEntry {
  readonly name: string;
  readonly type?: string;
  readonly mode?: number;
  readonly data?: Uint8Array | string;
  /** Written instead of the true size. */
  readonly size?: number;
  readonly link?: string;
  readonly breakChecksum?: boolean;
  readonly magic?: string;
}

export function rawEntry(entry: RawEntry): Buffer {
  const data = Buffer.from(entry.data ?? '');
  const block = Buffer.alloc(BLOCK);
  block.write(entry.name, 0);
  block.write(`${(entry.mode ?? 0o644).toString(8).padStart(7, '0')}\0`, 100);
  block.write('0000000\x000000000\0', 108);
  block.write(`${(entry.size ?? data.length).toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0        ', 136);
  block.write(entry.type ?? '0', 156, 'latin1');
  block.write(entry.link ?? '', 157);
  block.write(entry.magic ?? 'ustar\x0000', 257, 'latin1');
  let sum = entry.breakChecksum === true ? 1 : 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([block, data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);
}

export function pax(records: readonly (readonly [string, string])[], type = 'x'): Buffer {
  const lines = records.map(([key, value]) => {
    const body = ` ${key}=${value}\n`;
    let length = Buffer.byteLength(body) + 1;
    while (length !== Buffer.byteLength(body) + String(length).length) length++;
    return `${length}${body}`;
  });
  return rawEntry({ name: 'PaxHeader/x', type, data: lines.join('') });
}

export const END = Buffer.alloc(2 * BLOCK);

export function tgz(...parts: readonly Uint8Array[]): Buffer {
  return gzipSync(Buffer.concat([...parts, END]));
}

export async function* chunks(bytes: Uint8Array, size = 1 << 16): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
