import { crc32, deflateRawSync } from 'node:zlib';
import { DATASET_LIMITS } from './limits.ts';
import { PathSet, pathProblem } from './safe-path.ts';
import { CENTRAL_SIZE, END_SIZE, FULL16, FULL32, LOCAL_SIZE, SIGNATURE } from './zip-records.ts';
import type { PackedFile } from './tar-writer.ts';

const UTF8_NAMES = 2048;
/** 1980-01-01, the first day zip knows. */
const DATE = 33;

/** A zip whose bytes depend on nothing but its files: in path order, fixed times, deflated where that helps. In memory: for downloads and samples. */
export function writeZip(files: readonly PackedFile[]): Buffer {
  if (files.length >= FULL16) throw new RangeError(`cannot zip ${files.length} files: 65,534 are possible`);
  const seen = new PathSet();
  const sorted = [...files].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  const parts: Uint8Array[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const file of sorted) {
    const problem = pathProblem(file.path, DATASET_LIMITS);
    if (problem !== null) throw new RangeError(`cannot zip ${JSON.stringify(file.path)}: the path ${problem}`);
    const collision = seen.add(file.path, 'file');
    if (collision !== null)
      throw new RangeError(`cannot zip ${JSON.stringify(file.path)}: it collides with ${JSON.stringify(collision)}`);
    const name = Buffer.from(file.path);
    const deflated = deflateRawSync(file.bytes);
    const method = deflated.length < file.bytes.length ? 8 : 0;
    const data = method === 8 ? deflated : file.bytes;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(UTF8_NAMES, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt16LE(DATE, 8);
    common.writeUInt32LE(crc32(file.bytes), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(file.bytes.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.alloc(LOCAL_SIZE);
    local.writeUInt32LE(SIGNATURE.local, 0);
    common.copy(local, 4);
    parts.push(local, name, data);
    const record = Buffer.alloc(CENTRAL_SIZE);
    record.writeUInt32LE(SIGNATURE.central, 0);
    // Made by: version 2.0 on Unix.
    record.writeUInt16LE(0x0314, 4);
    common.copy(record, 6);
    record.writeUInt32LE(((0o100000 | (file.executable === true ? 0o755 : 0o644)) << 16) >>> 0, 38);
    record.writeUInt32LE(offset, 42);
    central.push(record, name);
    offset += local.length + name.length + data.length;
    if (offset >= FULL32) throw new RangeError('cannot zip more than 4 GiB');
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(END_SIZE);
  end.writeUInt32LE(SIGNATURE.end, 0);
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}
