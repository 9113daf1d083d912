import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../backends/process/process-command.ts';
import type { CheckLimits, ExportCheck } from './export-check.ts';
import { runLimited } from './limited-child.ts';
import { parseCheck, refuted } from './parse-check.ts';

const DEFAULTS = { maxSeconds: 120, memoryBytes: 4 * 2 ** 30 };

/** Opens an ONNX model with onnxruntime-node, in a process with limits, and compares it with its own self-test and metadata. */
export async function checkInNode(
  exportFolder: string,
  tolerance: number | undefined,
  limits: CheckLimits,
): Promise<ExportCheck> {
  const home = await mkdtemp(join(tmpdir(), 'trainyard-verify-'));
  try {
    const setpriv = await findProgram('setpriv', process.env['PATH'] ?? '');
    const script = fileURLToPath(new URL('./onnx-child.ts', import.meta.url));
    const node = [process.execPath, '--no-warnings', '--max-old-space-size=1024', script, exportFolder];
    const ran = await runLimited({
      argv: [
        ...(setpriv === null ? [] : [setpriv, '--no-new-privs', '--pdeathsig', 'KILL', '--']),
        ...node,
        ...(tolerance === undefined ? [] : [String(tolerance)]),
      ],
      home,
      environment: { OMP_NUM_THREADS: '1', OMP_WAIT_POLICY: 'PASSIVE' },
      limits: {
        maxSeconds: limits.maxSeconds ?? DEFAULTS.maxSeconds,
        memoryBytes: limits.memoryBytes ?? DEFAULTS.memoryBytes,
      },
      signal: limits.signal,
    });
    if (ran.cut !== null) return refuted('export-loads', ran.cut);
    return ran.answer.trim() === ''
      ? refuted('export-loads', `The model made the verifier stop (${ran.ended}).`)
      : parseCheck(ran.answer);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
