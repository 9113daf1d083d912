import assert from 'node:assert/strict';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { crc32, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { ArchiveFault } from './archive-fault.ts';
import { DATASET_LIMITS, type ArchiveLimits } from './limits.ts';
import { indexZip, type ZipEntry } from './zip-index.ts';
import { readZipEntry } from './zip-read.ts';
import { writeZip } from './zip-writer.ts';

const folder = await mkdtemp(join(tmpdir(), 'zip-'));
after(() => rm(folder, { recursive: true, force: true }));
let count = 0;

async function stored(bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${count++}.zip`);
  await writeFile(path, bytes);
  return path;
}

async function checkOf(bytes: Uint8Array, limits: ArchiveLimits = DATASET_LIMITS): Promise<string> {
  const result = await indexZip(await stored(bytes), limits);
  return 'entries' in result ? 'accepted' : (result.findings[0]?.check ?? 'none');
}

interface RawZip {
  readonly name: string | Buffer;
  readonly data?: Uint8Array;
  readonly deflate?: boolean;
  readonly flags?: number;
  readonly method?: number;
  readonly mode?: number;
  readonly crc?: number;
  readonly size?: number;
  readonly localName?: string;
  readonly descriptor?: Uint8Array;
  readonly extra?: Uint8Array;
  readonly gap?: Uint8Array;
}

/** A zip as told, right or wrong. */
function rawZip(entries: readonly RawZip[], end: { entries?: number; comment?: string; prefix?: string } = {}): Buffer {
  const parts: Uint8Array[] = [Buffer.from(end.prefix ?? '')];
  const central: Uint8Array[] = [];
  let offset = parts[0]?.length ?? 0;
  for (const entry of entries) {
    const plain = entry.data ?? Buffer.alloc(0);
    const data = entry.deflate === true ? deflateRawSync(plain) : plain;
    const fields = (name: Buffer, streamed: boolean): Buffer => {
      const common = Buffer.alloc(26);
      common.writeUInt16LE(20, 0);
      common.writeUInt16LE(entry.flags ?? 2048, 2);
      common.writeUInt16LE(entry.method ?? (entry.deflate === true ? 8 : 0), 4);
      common.writeUInt32LE(streamed ? 0 : (entry.crc ?? crc32(plain)), 10);
      common.writeUInt32LE(streamed ? 0 : data.length, 14);
      common.writeUInt32LE(streamed ? 0 : (entry.size ?? plain.length), 18);
      common.writeUInt16LE(name.length, 22);
      common.writeUInt16LE(entry.extra?.length ?? 0, 24);
      return common;
    };
    const name = Buffer.from(entry.name);
    const localName = Buffer.from(entry.localName ?? name);
    const local = [
      Buffer.from('PK\x03\x04'),
      fields(localName, entry.descriptor !== undefined),
      localName,
      entry.extra ?? Buffer.alloc(0),
      data,
      entry.descriptor ?? Buffer.alloc(0),
      entry.gap ?? Buffer.alloc(0),
    ];
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((entry.mode ?? 0) << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    central.push(Buffer.from('PK\x01\x02\x14\x03'), fields(name, false), tail, name, entry.extra ?? Buffer.alloc(0));
    parts.push(...local);
    offset += local.reduce((sum, part) => sum + part.length, 0);
  }
  const directory = Buffer.concat(central);
  const last = Buffer.alloc(22);
  last.write('PK\x05\x06', 'latin1');
  last.writeUInt16LE(end.entries ?? entries.length, 8);
  last.writeUInt16LE(end.entries ?? entries.length, 10);
  last.writeUInt32LE(directory.length, 12);
  last.writeUInt32LE(offset, 16);
  last.writeUInt16LE(end.comment?.length ?? 0, 20);
  return Buffer.concat([...parts, directory, last, Buffer.from(end.comment ?? '')]);
}

function descriptor(data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.write('PK\x07\x08', 'latin1');
  bytes.writeUInt32LE(crc32(data), 4);
  bytes.writeUInt32LE(data.length, 8);
  bytes.writeUInt32LE(data.length, 12);
  return bytes;
}

const hello = Buffer.from('hello');
const good: RawZip = { name: 'a.txt', data: hello };
const cases: readonly (readonly [string, string, () => Uint8Array])[] = [
  ['stored', 'accepted', () => rawZip([good])],
  ['deflated', 'accepted', () => rawZip([{ ...good, deflate: true }])],
  [
    'a folder',
    'accepted',
    () =>
      rawZip([
        { name: 'd/', mode: 0o040755 },
        { ...good, name: 'd/a' },
      ]),
  ],
  ['no entries', 'accepted', () => rawZip([])],
  ['a comment', 'accepted', () => rawZip([good], { comment: 'made by hand' })],
  ['a data descriptor', 'accepted', () => rawZip([{ ...good, flags: 2056, descriptor: descriptor(hello) }])],
  ['a text', 'unsupported-media', () => Buffer.alloc(100, 'text')],
  ['a truncated zip', 'archive-malformed', () => rawZip([good]).subarray(0, -1)],
  ['trailing bytes', 'archive-malformed', () => Buffer.concat([rawZip([good]), hello])],
  ['a prefix', 'unsupported-media', () => rawZip([good], { prefix: '#!/bin/sh\n' })],
  ['a zip before the zip', 'archive-malformed', () => rawZip([good], { prefix: 'PK\x03\x04 more' })],
  [
    'a second end record in the comment',
    'archive-malformed',
    () => rawZip([good], { comment: rawZip([]).toString('latin1') }),
  ],
  [
    'a gap',
    'archive-malformed',
    () =>
      rawZip([
        { ...good, gap: hello },
        { ...good, name: 'b' },
      ]),
  ],
  ['a gap before the directory', 'archive-malformed', () => rawZip([{ ...good, gap: hello }])],
  ['a wrong number of entries', 'archive-malformed', () => rawZip([good], { entries: 2 })],
  ['another local name', 'archive-malformed', () => rawZip([{ ...good, localName: 'b.txt' }])],
  [
    'a wrong descriptor',
    'archive-malformed',
    () => rawZip([{ ...good, flags: 2056, descriptor: descriptor(Buffer.from('x')) }]),
  ],
  ['an encrypted entry', 'archive-malformed', () => rawZip([{ ...good, flags: 2049 }])],
  ['an unknown method', 'archive-malformed', () => rawZip([{ ...good, method: 12 }])],
  ['a name that is not UTF-8', 'archive-malformed', () => rawZip([{ ...good, name: Buffer.from([0xc7, 0xd1, 0xb1]) }])],
  ['a stored size that differs', 'archive-malformed', () => rawZip([{ ...good, size: 6 }])],
  ['an unfinished extra field', 'archive-malformed', () => rawZip([{ ...good, extra: Buffer.from([1, 0, 99, 0]) }])],
  ['a second name', 'archive-malformed', () => rawZip([{ ...good, extra: secondName('../b.txt') }])],
  ['traversal', 'archive-unsafe-path', () => rawZip([{ ...good, name: '../a' }])],
  ['an absolute path', 'archive-unsafe-path', () => rawZip([{ ...good, name: '/a' }])],
  ['a backslash', 'archive-unsafe-path', () => rawZip([{ ...good, name: 'd\\a' }])],
  ['a link', 'archive-link', () => rawZip([{ ...good, mode: 0o120777 }])],
  ['a FIFO', 'archive-entry-type', () => rawZip([{ ...good, mode: 0o010644 }])],
  ['setuid', 'archive-mode', () => rawZip([{ ...good, mode: 0o104755 }])],
  ['a name twice', 'archive-duplicate', () => rawZip([good, good])],
  ['case folding', 'archive-duplicate', () => rawZip([good, { ...good, name: 'A.TXT' }])],
];

function secondName(name: string): Buffer {
  const body = Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), Buffer.from(name)]);
  return Buffer.concat([Buffer.from([0x75, 0x70, body.length, 0]), body]);
}

describe('indexZip', () => {
  for (const [name, check, bytes] of cases) {
    it(`${name}: ${check}`, async () => assert.equal(await checkOf(bytes()), check));
  }

  it('refuses overlapping entries (one body listed many times)', async () => {
    const bytes = rawZip([good, { ...good, name: 'b.txt' }]);
    const at = bytes.lastIndexOf('PK\x01\x02', undefined, 'latin1');
    bytes.writeUInt32LE(0, at + 42);
    assert.equal(await checkOf(bytes), 'archive-malformed');
  });

  it('keeps the limits of entries, file, total, packed and ratio', async () => {
    const zeros = rawZip([{ name: 'z', data: Buffer.alloc(1 << 20), deflate: true }]);
    assert.equal(await checkOf(zeros), 'accepted');
    assert.equal(await checkOf(zeros, { ...DATASET_LIMITS, ratioFrom: 1000 }), 'archive-too-large');
    assert.equal(await checkOf(zeros, { ...DATASET_LIMITS, fileBytes: 1000 }), 'archive-too-large');
    assert.equal(await checkOf(zeros, { ...DATASET_LIMITS, unpackedBytes: 1000 }), 'archive-too-large');
    assert.equal(await checkOf(zeros, { ...DATASET_LIMITS, packedBytes: 100 }), 'archive-too-large');
    const two = rawZip([good, { ...good, name: 'b' }]);
    assert.equal(await checkOf(two, { ...DATASET_LIMITS, entries: 1 }), 'archive-too-many-entries');
  });

  it('indexes what writeZip wrote, and reads it back', async () => {
    const file = fc.record({
      path: fc.stringMatching(/^[a-z]{1,6}(\/[a-zé한]{1,6}){0,2}$/u),
      bytes: fc.uint8Array({ maxLength: 3000 }),
    });
    const list = fc.uniqueArray(file, { selector: (one) => one.path.split('/')[0], maxLength: 6 });
    const legal = list.filter((files) =>
      files.every((one) => !/^(?:con|prn|aux|nul)$/m.test(one.path.replaceAll('/', '\n'))),
    );
    await fc.assert(
      fc.asyncProperty(legal, async (files) => {
        const path = await stored(writeZip(files));
        const result = await indexZip(path);
        assert.ok('entries' in result, JSON.stringify(result));
        assert.equal(result.entries.length, files.length);
        const handle = await open(path);
        for (const entry of result.entries) {
          const wanted = files.find((one) => one.path === entry.path);
          assert.deepEqual(await readAll(handle, entry), Buffer.from(wanted?.bytes ?? []));
        }
        await handle.close();
      }),
      { numRuns: 60 },
    );
  });

  it('fails while reading when size, checksum or data are not as indexed', async () => {
    const data = Buffer.alloc(5000, 'abc');
    for (const wrong of [{ crc: 7 }, { size: 4999 }, { size: 5001 }]) {
      const path = await stored(rawZip([{ name: 'a', data, deflate: true, ...wrong }]));
      const result = await indexZip(path);
      const entry = 'entries' in result ? result.entries[0] : undefined;
      assert.ok(entry !== undefined);
      await assert.rejects(readAll(path, entry), ArchiveFault);
    }
  });
});

async function readAll(source: string | Awaited<ReturnType<typeof open>>, entry: ZipEntry): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of readZipEntry(source, entry)) parts.push(part);
  return Buffer.concat(parts);
}
