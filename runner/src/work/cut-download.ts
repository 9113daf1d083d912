import { setTimeout as sleep } from 'node:timers/promises';
import { isBrokenTransfer } from '../agent/retry.ts';

/** A transfer that broke in the middle: the peer went away, or the bytes end too early. */
export class CutDownload extends Error {}

const TRIES = 6;

function isCut(error: unknown): boolean {
  return error instanceof CutDownload || isBrokenTransfer(error);
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
