/** Pure: which classes and functions a pickle names. Walks the opcodes; runs and builds nothing. */

/** Bytes that follow an opcode. */
const FIXED: Readonly<Record<number, number>> = {
  ...bytesOf('()]}.012NRQabdelostu', 0),
  ...{ 0x81: 0, 0x85: 0, 0x86: 0, 0x87: 0, 0x88: 0, 0x89: 0, 0x8f: 0, 0x90: 0, 0x91: 0, 0x92: 0, 0x93: 0, 0x94: 0 },
  ...{ 0x97: 0, 0x98: 0 },
  ...{ ...bytesOf('Kqh', 1), 0x80: 1, 0x82: 1 },
  ...{ ...bytesOf('M', 2), 0x83: 2 },
  ...{ ...bytesOf('Jrj', 4), 0x84: 4 },
  ...{ ...bytesOf('G', 8), 0x95: 8 },
};
/** Bytes of the length that follows an opcode, before that many bytes. */
const COUNTED: Readonly<Record<number, number>> = {
  ...{ ...bytesOf('UC', 1), 0x8c: 1, 0x8a: 1 },
  ...{ ...bytesOf('TXB', 4), 0x8b: 4 },
  ...{ 0x8d: 8, 0x8e: 8, 0x96: 8 },
};
/** Lines that follow an opcode. */
const LINES: Readonly<Record<number, number>> = { ...bytesOf('ILFSVgpP', 1), ...bytesOf('ci', 2) };
/** Name something without saying it in one piece. */
const HIDDEN: Readonly<Record<number, string>> = {
  0x93: 'a name put together while loading',
  ...{ 0x82: 'a name by number', 0x83: 'a name by number', 0x84: 'a name by number' },
};

function bytesOf(letters: string, value: number): Record<number, number> {
  return Object.fromEntries([...letters].map((letter) => [letter.charCodeAt(0), value]));
}

/** `module.name` of each, in the order of the file. Throws an Error when it is no pickle. */
export function pickleNames(bytes: Buffer): string[] {
  const names: string[] = [];
  let at = 0;
  function line(): string {
    const end = bytes.indexOf(10, at);
    if (end < 0) throw new Error('The pickle is cut off.');
    const text = bytes.toString('utf8', at, end);
    at = end + 1;
    return text;
  }
  while (at < bytes.length) {
    const opcode = bytes[at] ?? 0;
    at += 1;
    if (opcode === 0x2e) return names;
    const hidden = HIDDEN[opcode];
    if (hidden !== undefined) names.push(hidden);
    const [lines, counted, fixed] = [LINES[opcode], COUNTED[opcode], FIXED[opcode]];
    if (lines === 2) names.push(`${line()}.${line()}`);
    else if (lines === 1) line();
    else if (counted !== undefined) at += counted + lengthAt(bytes, at, counted);
    else if (fixed !== undefined) at += fixed;
    else throw new Error(`The pickle has the unknown opcode ${opcode}.`);
  }
  throw new Error('The pickle is cut off.');
}

function lengthAt(bytes: Buffer, at: number, width: number): number {
  if (at + width > bytes.length) throw new Error('The pickle is cut off.');
  return width === 8 ? Number(bytes.readBigUInt64LE(at)) : bytes.readUIntLE(at, width);
}
