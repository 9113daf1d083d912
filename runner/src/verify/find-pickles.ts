import { join } from 'node:path';
import { open } from 'node:fs/promises';
import type { ExportFault } from './export-check.ts';
import { contentsOf, walkExport, type Content } from './export-walk.ts';
import { pickleNames } from './pickle-names.ts';

/** What TorchScript's own archive holds; its reader takes names of classes from there, but calls nothing outside of torch. */
const OF_TORCHSCRIPT = /^[^/]+\/(?:data\.pkl|constants\.pkl|attributes\.pkl|traced_inputs\.pkl|code\/.*\.debug_pkl)$/;
const TORCH_NAMES = /^(?:__torch__|torch|collections|_codecs)(?:\.|$)/;
/** Opcodes that a pickle of protocol 2 to 5 can begin with. */
const FIRST_OPCODES = new Set([...Buffer.from('()]}cXKJMGNqBCUIFLST'), 0x88, 0x89, 0x8a, 0x8c, 0x8e, 0x8f, 0x95]);
const OLD_TORCH = Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex');
const HEAD = 64 * 1024;
/** Structure only: the numbers lie in files of their own. */
const MOST_PICKLE_BYTES = 64 * 2 ** 20;

/**
 * Pickles in any file of an export, archives included, by content and whatever their name (`export-data-only`): loading one runs code. Only the
 * archive of the format `torchscript` may hold those that its own reader needs, and they may name nothing outside of torch.
 */
export async function findPickles(folder: string, format: string): Promise<ExportFault[]> {
  const faults: ExportFault[] = [];
  const { files, strange } = await walkExport(folder);
  for (const path of strange) faults.push(fault(path, `${path} is no plain file.`));
  for (const file of files) {
    for (const content of await contentsOf(folder, file)) {
      const problem = await problemOf(content, format, join(folder, file.path)).catch(
        (error: unknown) => `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      );
      if (problem !== null) faults.push(fault(file.path, `${content.name} ${problem}`));
    }
  }
  return faults;
}

function fault(file: string, message: string): ExportFault {
  const fix = 'Export weights as tensors only; nothing that runs when it is loaded.';
  return { check: 'export-data-only', file, message, fix };
}

async function problemOf(content: Content, format: string, file: string): Promise<string | null> {
  const head = await headOf(content);
  if (isObjectNpy(head)) return 'is an array of Python objects, which are pickled.';
  if (!(await isPickle(content, head, file))) return null;
  const own = format === 'torchscript' && content.inner !== null && OF_TORCHSCRIPT.test(content.inner);
  if (!own) return 'is a pickle.';
  if (content.inner?.endsWith('.debug_pkl') === true) return null;
  const name = await strangerIn(content);
  return name === null ? null : `is a pickle that names ${name}.`;
}

async function headOf(content: Content): Promise<Buffer> {
  for await (const bytes of content.open()) return bytes.subarray(0, HEAD);
  return Buffer.alloc(0);
}

async function isPickle(content: Content, head: Buffer, file: string): Promise<boolean> {
  if (head.length < 2) return false;
  if (content.inner?.endsWith('.pkl') === true) return true;
  if (head.subarray(0, OLD_TORCH.length).equals(OLD_TORCH)) return true;
  const [first = 0, protocol = 0, opcode = 0] = head;
  const binary = first === 0x80 && protocol >= 2 && protocol <= 5 && FIRST_OPCODES.has(opcode);
  const text = /^(?:c[\w.]+\n[\w.]+\n[(p]|\([dl]p?\d*\n|\(i[\w.]+\n)/.test(head.toString('latin1'));
  return (binary || text) && (await lastByte(content, file)) === '.';
}

async function lastByte(content: Content, file: string): Promise<string> {
  let last: Buffer = Buffer.alloc(0);
  if (content.inner === null) {
    const handle = await open(file);
    try {
      last = Buffer.alloc(1);
      await handle.read(last, 0, 1, Math.max(0, content.bytes - 1));
    } finally {
      await handle.close();
    }
  } else {
    for await (const bytes of content.open()) if (bytes.length > 0) last = bytes.subarray(-1);
  }
  return last.toString('latin1');
}

/** A class or function outside of torch that a pickle of the archive names. */
async function strangerIn(content: Content): Promise<string | null> {
  if (content.bytes > MOST_PICKLE_BYTES) throw new Error('the pickle is too large');
  const parts: Buffer[] = [];
  for await (const bytes of content.open()) parts.push(bytes);
  return pickleNames(Buffer.concat(parts)).find((name) => !TORCH_NAMES.test(name)) ?? null;
}

function isObjectNpy(head: Buffer): boolean {
  return (
    head.subarray(1, 6).toString('latin1') === 'NUMPY' &&
    /'descr':\s*(?:'[|<>=]?O|\[.*'[|<>=]?O)/.test(head.subarray(0, 4096).toString('latin1'))
  );
}
