import { openOutput } from '@trainyard/runner/work';

export interface CheckpointEntry {
  readonly id: string;
  readonly path: string;
  readonly step: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly resumable: boolean;
}
export interface CheckpointIndex {
  readonly last: string | null;
  readonly best: string | null;
  readonly history: readonly CheckpointEntry[];
}

const MOST_BYTES = 4 * 1024 * 1024;
/** One folder or file directly under checkpoints/. */
const PATH = /^checkpoints\/[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** `checkpoints/index.json`, or in one sentence why there is none. Never throws for what a trainer left. */
export async function readCheckpointIndex(
  jobFolder: string,
  folder = 'checkpoints',
): Promise<CheckpointIndex | { problem: string }> {
  try {
    const file = await openOutput(jobFolder, `${folder}/index.json`);
    try {
      if ((await file.stat()).size > MOST_BYTES) return { problem: 'checkpoints/index.json is larger than 4 MiB.' };
      return parseIndex(JSON.parse(await file.readFile('utf8')));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof SyntaxError) return { problem: 'checkpoints/index.json is not JSON.' };
    return { problem: error instanceof Error ? error.message : 'checkpoints/index.json cannot be read.' };
  }
}

export function entryOf(index: CheckpointIndex, id: string | null): CheckpointEntry | null {
  return index.history.find((entry) => entry.id === id) ?? null;
}

function parseIndex(value: unknown): CheckpointIndex | { problem: string } {
  if (!isRecord(value) || value['schema'] !== 'checkpoints@1' || !Array.isArray(value['history'])) {
    return { problem: 'checkpoints/index.json is not of the form {"schema": "checkpoints@1", "history": […]}.' };
  }
  const history: CheckpointEntry[] = [];
  for (const [at, item] of value['history'].entries()) {
    const entry = parseEntry(item);
    if (entry === null)
      return { problem: `Entry ${at} of checkpoints/index.json lacks id, path, step, bytes or sha256.` };
    history.push(entry);
  }
  return { last: textOrNull(value['last']), best: textOrNull(value['best']), history };
}

function parseEntry(item: unknown): CheckpointEntry | null {
  if (!isRecord(item)) return null;
  const { id, path, step, bytes, sha256, resumable } = item;
  if (typeof id !== 'string' || typeof path !== 'string' || !PATH.test(path)) return null;
  if (typeof step !== 'number' || typeof bytes !== 'number' || typeof sha256 !== 'string') return null;
  return { id, path, step, bytes, sha256: sha256.replace('sha256:', ''), resumable: resumable !== false };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
