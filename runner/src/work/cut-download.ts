import { setTimeout as sleep } from 'node:timers/promises';

/** A transfer that broke in the middle: the peer went away, or the bytes end too early. */
export class CutDownload extends Error {}

const TRIES = 6;

function isCut(error: unknown): boolean {
  if (error instanceof CutDownload) return true;
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  if (error.name === 'AbortError') return false;
  // What fetch and streams throw when a connection breaks while a body is read.
  return (
    (error instanceof TypeError && error.message === 'terminated') ||
    code.startsWith('UND_ERR') ||
    ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(code)
  );
}

/** Begins a broken transfer again, with pauses, some times. Anything else, and the last break, is thrown. */
export async function whileCut<T>(transfer: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let round = 1; ; round += 1) {
    try {
      return await transfer();
    } catch (error) {
      if (signal.aborted || !isCut(error) || round >= TRIES) throw error;
      await sleep(250 * 2 ** round, undefined, { signal });
    }
  }
}
