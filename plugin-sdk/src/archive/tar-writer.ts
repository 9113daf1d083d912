import { gzipSync } from 'node:zlib';
import { BLOCK } from './tar-header.ts';
import { PACKAGE_LIMITS } from './limits.ts';
import { PathSet, pathProblem } from './safe-path.ts';

export interface PackedFile {
  /** Relative to the package folder. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly executable?: boolean;
}

/** 1985-10-26T08:15:00Z, the time npm gives to packed files. */
const MTIME = 499_162_500;

/** A .tgz whose bytes depend on nothing but its files: sorted, fixed times, modes 0644 or 0755. */
export function writePackage(files: readonly PackedFile[]): Buffer {
  return writeTarGz(files, 'package/');
}

export function writeTarGz(files: readonly PackedFile[], root = ''): Buffer {
  const seen = new PathSet();
  const sorted = [...files].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  const blocks: Uint8Array[] = [];
  for (const file of sorted) {
    const problem = pathProblem(file.path, PACKAGE_LIMITS);
    if (problem !== null) throw new RangeError(`cannot pack ${JSON.stringify(file.path)}: the path ${problem}`);
    const collision = seen.add(file.path, 'file');
    if (collision !== null) {
      throw new RangeError(`cannot pack ${JSON.stringify(file.path)}: it collides with ${JSON.stringify(collision)}`);
    }
    blocks.push(tarEntryHead(`${root}${file.path}`, file.bytes.length, file.executable === true));
    blocks.push(file.bytes, tarFiller(file.bytes.length));
  }
  blocks.push(TAR_END);
  const packed = gzipSync(Buffer.concat(blocks), { level: 9 });
  // The system byte of the header differs between machines; 255 means unknown.
  packed[9] = 255;
  return packed;
}

/** Two empty blocks end an archive. */
export const TAR_END: Buffer = Buffer.alloc(2 * BLOCK);

/** Headers of one file, for archives that are streamed: head, then exactly `size` bytes, then `tarFiller(size)`. */
export function tarEntryHead(path: string, size: number, executable = false): Buffer {
  const split = splitName(path);
  const mode = executable ? 0o755 : 0o644;
  if (split !== null) return header(split[0], split[1], '0', size, mode);
  const records = paxRecord('path', path);
  return Buffer.concat([
    header('PaxHeader/long', '', 'x', records.length, 0o644),
    records,
    tarFiller(records.length),
    header(rawName(path), '', '0', size, mode),
  ]);
}

export function tarFiller(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** [name, prefix] when the path fits into a ustar header as it is. */
function splitName(path: string): [string, string] | null {
  if (Buffer.byteLength(path) <= 100) return [path, ''];
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    const name = path.slice(slash + 1);
    const prefix = path.slice(0, slash);
    if (Buffer.byteLength(prefix) <= 155 && Buffer.byteLength(name) <= 100) return [name, prefix];
  }
  return null;
}

/** A stand-in for readers without PAX; it must pass the path rule by itself. */
function rawName(path: string): string {
  let name = path;
  while (Buffer.byteLength(name) > 100) name = [...name].slice(0, -1).join('');
  return name.replace(/[/. ]+$/u, '');
}

function paxRecord(key: string, value: string): Buffer {
  const body = ` ${key}=${value}\n`;
  const size = Buffer.byteLength(body);
  let length = size + String(size).length;
  if (String(length).length + size !== length) length = size + String(length).length;
  return Buffer.from(`${length}${body}`);
}

function header(name: string, prefix: string, type: string, size: number, mode: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 'utf8');
  block.write(`${mode.toString(8).padStart(7, '0')}\0`, 100, 'latin1');
  block.write('0000000\x000000000\0', 108, 'latin1');
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  block.write(`${MTIME.toString(8).padStart(11, '0')}\0`, 136, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write(prefix, 345, 'utf8');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
