import type { AttemptFolder } from './attempt-folder.ts';
import { LimitKeeper } from './enforce-limits.ts';
import { ProcessCensus } from './process-census.ts';
import type { ProcessRecord } from './process-record.ts';
import { listProcesses } from './process-tree.ts';

/** Pause between looks while something is close to a limit or being stopped. */
const HURRY_MS = 100;

/** One timer for all running executions of a backend. It never keeps the runner alive. */
export class LimitPatrol {
  readonly #sampleMs: number;
  readonly #census = new ProcessCensus();
  readonly #keepers = new Map<string, LimitKeeper>();
  #timer: NodeJS.Timeout | null = null;
  #round: Promise<void> = Promise.resolve();

  constructor(sampleMs: number) {
    this.#sampleMs = sampleMs;
  }

  watch(folder: AttemptFolder, record: ProcessRecord): void {
    if (this.#keepers.has(folder.path)) return;
    this.#keepers.set(folder.path, new LimitKeeper(folder, record));
    this.#census.recount();
    this.#schedule(Math.min(HURRY_MS, this.#sampleMs));
  }

  forget(folder: AttemptFolder): void {
    this.#keepers.delete(folder.path);
  }

  /** Carries out a request that was just put on record, then looks again when its grace is over. */
  async lookNow(folder: AttemptFolder): Promise<void> {
    const keeper = this.#keepers.get(folder.path);
    if (keeper === undefined) return;
    await this.#queue(async () => {
      await keeper.look(await listProcesses());
    });
    this.#schedule(HURRY_MS);
  }

  #schedule(delay: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#queue(() => this.#lookAtAll());
    }, delay);
    this.#timer.unref();
  }

  /** Looks follow one another: two at once would count silence and disk twice. */
  #queue(work: () => Promise<void>): Promise<void> {
    this.#round = this.#round.then(work).catch(() => undefined);
    return this.#round;
  }

  async #lookAtAll(): Promise<void> {
    if (this.#keepers.size === 0) return;
    const processes = await this.#census.list();
    const inside = new Set<number>();
    // False while the processes of a session are not known: then nothing is set aside.
    let known = true;
    let pause = this.#sampleMs;
    for (const [path, keeper] of this.#keepers) {
      const seconds = await keeper.look(processes).catch(() => undefined);
      if (seconds === null) {
        this.#keepers.delete(path);
        continue;
      }
      if (seconds !== undefined) pause = Math.min(pause, Math.max(HURRY_MS, seconds * 1000));
      for (const pid of keeper.pids ?? []) inside.add(pid);
      known &&= seconds !== undefined && keeper.pids !== null;
    }
    if (known) this.#census.setAside(processes, inside);
    if (this.#keepers.size > 0 && this.#timer === null) this.#schedule(pause);
  }
}
