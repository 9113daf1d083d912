import type { Logger } from 'pino';

/** Background work of the hub itself. A chore looks first, then acts, and may run on several hubs at once. */
export interface Chores {
  /** Runs now and then every so many seconds, and soon after each `poke`. Never twice at a time; a failure is logged and tried again next time. */
  every(seconds: number, name: string, work: () => Promise<unknown>): { poke(): void };
  /** Ends all timers and waits for what is running. */
  stop(): Promise<void>;
}

export function createChores(log: Logger): Chores {
  const timers: NodeJS.Timeout[] = [];
  const running = new Set<Promise<void>>();
  let stopped = false;
  return {
    every(seconds, name, work) {
      let busy = false;
      let again = false;
      function run(): void {
        if (stopped) return;
        if (busy) {
          again = true;
          return;
        }
        busy = true;
        const going = Promise.resolve()
          .then(work)
          .then(
            () => undefined,
            (error: unknown) => log.error({ chore: name, err: error }, 'chore failed'),
          )
          .finally(() => {
            busy = false;
            running.delete(going);
            if (again) {
              again = false;
              run();
            }
          });
        running.add(going);
      }
      timers.push(setInterval(run, seconds * 1000));
      setImmediate(run);
      return { poke: run };
    },
    async stop() {
      stopped = true;
      for (const timer of timers) clearInterval(timer);
      await Promise.allSettled(running);
    },
  };
}
