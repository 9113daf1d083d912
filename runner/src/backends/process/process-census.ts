import { listProcesses } from './process-tree.ts';
import type { ProcessStat } from './process-identity.ts';

/** Looks until everything is read anew: how long a pid that was given out again stays unseen. */
const LOOKS_PER_FULL_COUNT = 10;

/**
 * Lists the processes that may belong to watched sessions. Session and parent are inherited, so a process outside never gets inside: it is read once
 * and then left alone. On a machine with many processes that is nearly all the work of a look.
 */
export class ProcessCensus {
  readonly #outside = new Set<number>();
  #looks = 0;

  /** Reads everything next time: a session began to be watched whose processes may have been set aside. */
  recount(): void {
    this.#outside.clear();
  }

  async list(): Promise<readonly ProcessStat[]> {
    if (this.#looks % LOOKS_PER_FULL_COUNT === 0) this.recount();
    this.#looks += 1;
    return listProcesses(this.#outside);
  }

  /** `inside`: pids of all watched sessions among those just listed. */
  setAside(listed: readonly ProcessStat[], inside: ReadonlySet<number>): void {
    for (const { pid } of listed) if (!inside.has(pid)) this.#outside.add(pid);
  }
}
