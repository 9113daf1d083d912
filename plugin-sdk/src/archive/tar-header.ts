import { archiveFault, malformed, shown } from './archive-fault.ts';

export const BLOCK = 512;

export interface TarHeader {
  readonly type: string;
  readonly path: string;
  readonly mode: number;
  readonly size: number;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function decodeUtf8(bytes: Uint8Array, what: string, offset: number): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw malformed(`${what} is not UTF-8.`, offset);
  }
}

export function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** A NUL-terminated field; what follows the NUL must be zero, or two readers could see two names. */
function textField(block: Buffer, from: number, to: number, what: string, offset: number): string {
  const field = block.subarray(from, to);
  const end = field.indexOf(0);
  if (end !== -1 && !isZero(field.subarray(end))) throw malformed(`${what} has bytes after its end.`, offset);
  return decodeUtf8(end === -1 ? field : field.subarray(0, end), what, offset);
}

function octalField(block: Buffer, from: number, to: number, what: string, offset: number): number {
  const text = block.toString('latin1', from, to);
  // Empty is zero: device numbers of plain files are often left out.
  const match = /^ *([0-7]*)[ \0]*$/.exec(text);
  if (match === null) throw malformed(`${what} is not an octal number.`, offset);
  return match[1] === undefined || match[1] === '' ? 0 : Number.parseInt(match[1], 8);
}

function checksum(block: Buffer): number {
  let sum = 8 * 32;
  for (let i = 0; i < 148; i++) sum += block[i] ?? 0;
  for (let i = 156; i < BLOCK; i++) sum += block[i] ?? 0;
  return sum;
}

export function isUstar(block: Buffer): boolean {
  const magic = block.toString('latin1', 257, 265);
  return magic === 'ustar\x0000' || magic === 'ustar  \0';
}

export function parseTarHeader(block: Buffer, offset: number): TarHeader {
  if (!isUstar(block)) throw malformed('A header is not in ustar format.', offset);
  if (octalField(block, 148, 156, 'The header checksum', offset) !== checksum(block)) {
    throw malformed('A header checksum is wrong.', offset);
  }
  const gnu = block[262] === 0x20;
  if (!isZero(block.subarray(gnu ? 345 : 500))) throw malformed('Reserved header bytes are used.', offset);
  const name = textField(block, 0, 100, 'The name', offset);
  const prefix = gnu ? '' : textField(block, 345, 500, 'The name prefix', offset);
  for (const [from, to, what] of [
    [108, 116, 'The owner'],
    [116, 124, 'The group'],
    [136, 148, 'The time'],
    [329, 337, 'The device'],
    [337, 345, 'The device'],
  ] as const) {
    octalField(block, from, to, what, offset);
  }
  textField(block, 265, 297, 'The owner name', offset);
  textField(block, 297, 329, 'The group name', offset);
  const type = String.fromCharCode(block[156] ?? 0);
  const path = prefix === '' ? name : `${prefix}/${name}`;
  checkType(type, path, offset);
  if (block[157] !== 0) throw malformed('A plain entry names a link target.', offset);
  return {
    type: type === '\0' ? '0' : type,
    path,
    mode: octalField(block, 100, 108, 'The mode', offset),
    size: octalField(block, 124, 136, 'The size', offset),
  };
}

function checkType(type: string, path: string, offset: number): void {
  if (['\0', '0', '5', 'x', 'g', 'L'].includes(type)) return;
  const evidence = `at byte ${offset} of the unpacked archive`;
  if (type === '1' || type === '2' || type === 'K') {
    throw archiveFault('archive-link', `${shown(path)} is a link.`, 'Replace the link by the file it points to.', {
      evidence,
    });
  }
  throw archiveFault(
    'archive-entry-type',
    `${shown(path)} is neither a file nor a folder (type ${shown(type)}).`,
    'Remove the entry; archives hold files and folders only.',
    { evidence },
  );
}

const PAX_KEYS = new Set(['path', 'size', 'mtime', 'atime', 'ctime', 'uid', 'gid', 'uname', 'gname', 'comment']);

/** Records `<length> <key>=<value>\n`; every length exact, every key known and once. */
export function parsePax(bytes: Buffer, global: boolean, offset: number): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const digits = space === -1 ? '' : bytes.toString('latin1', at, space);
    if (!/^[1-9][0-9]{0,6}$/.test(digits)) throw malformed('An extended header has a bad record length.', offset);
    const end = at + Number(digits);
    if (end > bytes.length || end <= space + 1 || bytes[end - 1] !== 0x0a) {
      throw malformed('An extended header record does not end where it says.', offset);
    }
    const text = decodeUtf8(bytes.subarray(space + 1, end - 1), 'An extended header', offset);
    const equals = text.indexOf('=');
    const key = text.slice(0, Math.max(equals, 0));
    const value = text.slice(equals + 1);
    if (/^(linkpath|GNU\.sparse\.)/.test(key)) {
      throw archiveFault('archive-link', 'An extended header makes a link.', 'Replace the link by the file.');
    }
    if (!PAX_KEYS.has(key) || (global && key !== 'comment')) {
      throw malformed(`An extended header has the key ${shown(key)}, which is not accepted.`, offset);
    }
    if (value.includes('\0')) throw malformed('An extended header holds a NUL.', offset);
    if (records.has(key)) throw malformed(`An extended header names ${shown(key)} twice.`, offset);
    records.set(key, value);
    at = end;
  }
  return records;
}
