import { malformed, shown } from './archive-fault.ts';

/** The records of a zip file, parsed and nothing more. */

export const SIGNATURE = {
  local: 0x04034b50,
  central: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
  descriptor: 0x08074b50,
} as const;
export const CENTRAL_SIZE = 46;
export const LOCAL_SIZE = 30;
export const END_SIZE = 22;
export const FULL16 = 0xffff;
export const FULL32 = 0xffffffff;
export const STREAMED = 8;
const ENCRYPTED = 1 | 64 | 8192;
const KNOWN_FLAGS = 2 | 4 | STREAMED | 2048;

export interface ZipHeader {
  readonly name: string;
  readonly rawName: Buffer;
  readonly flags: number;
  readonly method: 0 | 8;
  readonly crc32: number;
  readonly compressedSize: number;
  readonly size: number;
}

export interface CentralHeader extends ZipHeader {
  /** Of the local header. */
  readonly offset: number;
  /** Unix mode, 0 when another system packed it. */
  readonly mode: number;
}

export function bigToNumber(value: bigint, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(`${what} lies outside the file.`);
  return Number(value);
}

function readName(raw: Buffer, extras: ReadonlyMap<number, Buffer>): string {
  let name: string;
  try {
    name = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    throw malformed(`The file name ${shown(raw.toString('latin1'))} is not UTF-8.`);
  }
  // Info-ZIP's own name field; it may only repeat the name, or two readers would see two names.
  const unicode = extras.get(0x7075);
  if (unicode !== undefined && !unicode.subarray(5).equals(raw)) {
    throw malformed(`${shown(name)} has a second, different name.`);
  }
  return name;
}

function readExtras(bytes: Buffer): Map<number, Buffer> {
  const extras = new Map<number, Buffer>();
  let at = 0;
  while (at + 4 <= bytes.length) {
    const id = bytes.readUInt16LE(at);
    const end = at + 4 + bytes.readUInt16LE(at + 2);
    if (end > bytes.length) throw malformed('An extra field is longer than its place.');
    if (extras.has(id)) throw malformed('An extra field stands twice.');
    extras.set(id, bytes.subarray(at + 4, end));
    at = end;
  }
  // Some writers align data with zeros.
  if (bytes.subarray(at).some((byte) => byte !== 0)) throw malformed('An extra field is cut off.');
  return extras;
}

interface Sizes {
  size: number;
  compressedSize: number;
  offset: number;
}

/** Values of 0xffffffff are looked up in the zip64 field, in the order of the format. */
function widen(sizes: Sizes, extras: ReadonlyMap<number, Buffer>): Sizes {
  const wide = extras.get(1);
  let at = 0;
  const next = (value: number): number => {
    if (value !== FULL32) return value;
    if (wide === undefined || at + 8 > wide.length) throw malformed('A zip64 value is missing.');
    at += 8;
    return bigToNumber(wide.readBigUInt64LE(at - 8), 'A zip64 value');
  };
  return { size: next(sizes.size), compressedSize: next(sizes.compressedSize), offset: next(sizes.offset) };
}

function checkedMethod(method: number, flags: number, name: string): 0 | 8 {
  if ((flags & ENCRYPTED) !== 0) throw malformed(`${shown(name)} is encrypted.`);
  if ((flags & ~KNOWN_FLAGS) !== 0) throw malformed(`${shown(name)} uses unknown flags.`);
  if (method !== 0 && method !== 8)
    throw malformed(`${shown(name)} is neither stored nor deflated (method ${method}).`);
  return method;
}

/** `bytes` holds at least the fixed part; the caller has read `centralLength` bytes. */
export function centralLength(bytes: Buffer): number {
  if (bytes.readUInt32LE(0) !== SIGNATURE.central) throw malformed('The list of entries is damaged.');
  return CENTRAL_SIZE + bytes.readUInt16LE(28) + bytes.readUInt16LE(30) + bytes.readUInt16LE(32);
}

export function parseCentral(bytes: Buffer): CentralHeader {
  const nameEnd = CENTRAL_SIZE + bytes.readUInt16LE(28);
  const rawName = Buffer.from(bytes.subarray(CENTRAL_SIZE, nameEnd));
  const extras = readExtras(bytes.subarray(nameEnd, nameEnd + bytes.readUInt16LE(30)));
  const name = readName(rawName, extras);
  const flags = bytes.readUInt16LE(8);
  if (bytes.readUInt16LE(34) !== 0) throw malformed('The archive is split into several files.');
  const madeOnUnix = bytes[5] === 3 || bytes[5] === 19;
  return {
    name,
    rawName,
    flags,
    method: checkedMethod(bytes.readUInt16LE(10), flags, name),
    crc32: bytes.readUInt32LE(16),
    ...widen(
      { compressedSize: bytes.readUInt32LE(20), size: bytes.readUInt32LE(24), offset: bytes.readUInt32LE(42) },
      extras,
    ),
    mode: madeOnUnix ? bytes.readUInt16LE(40) : 0,
  };
}

export function localLength(bytes: Buffer): number {
  if (bytes.length < LOCAL_SIZE || bytes.readUInt32LE(0) !== SIGNATURE.local) {
    throw malformed('An entry does not begin where the list of entries says.');
  }
  return LOCAL_SIZE + bytes.readUInt16LE(26) + bytes.readUInt16LE(28);
}

export function parseLocal(bytes: Buffer): ZipHeader {
  const nameEnd = LOCAL_SIZE + bytes.readUInt16LE(26);
  const rawName = bytes.subarray(LOCAL_SIZE, nameEnd);
  const extras = readExtras(bytes.subarray(nameEnd, nameEnd + bytes.readUInt16LE(28)));
  const name = readName(rawName, extras);
  const flags = bytes.readUInt16LE(6);
  const { size, compressedSize } = widen(
    { compressedSize: bytes.readUInt32LE(18), size: bytes.readUInt32LE(22), offset: 0 },
    extras,
  );
  const method = checkedMethod(bytes.readUInt16LE(8), flags, name);
  return { name, rawName, flags, method, crc32: bytes.readUInt32LE(14), compressedSize, size };
}
