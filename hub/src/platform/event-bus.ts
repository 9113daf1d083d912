import pg from 'pg';

/**
 * Hints through LISTEN/NOTIFY: who waits may look again. Never the truth: a lost hint costs one poll interval, nothing else.
 * One LISTEN connection per hub; reconnects by itself.
 */
export interface EventBus {
  /** Calls back for each hint on the channel; the returned function ends it. Callbacks must not throw. */
  on(channel: string, heard: (payload: string) => void): () => void;
  /** Hint outside a transaction. Inside one use `select pg_notify(...)`, which follows the commit. */
  notify(channel: string, payload: string): Promise<void>;
  close(): Promise<void>;
}

const CHANNEL = 'trainyard';

export async function openEventBus(connection: pg.ClientConfig, pool: pg.Pool): Promise<EventBus> {
  const heard = new Map<string, Set<(payload: string) => void>>();
  let closed = false;
  let client: pg.Client | null = null;

  async function connect(): Promise<void> {
    const next = new pg.Client(connection);
    next.on('notification', (message) => {
      const split = (message.payload ?? '').indexOf(' ');
      if (split < 0) return;
      const topic = message.payload?.slice(0, split) ?? '';
      for (const callback of heard.get(topic) ?? []) callback(message.payload?.slice(split + 1) ?? '');
    });
    next.on('error', () => {
      if (client !== next) return;
      client = null;
      reconnect();
    });
    await next.connect();
    await next.query(`listen ${CHANNEL}`);
    client = next;
  }
  /** Again and again: a database that restarts may be away for longer than one try. */
  function reconnect(): void {
    if (closed) return;
    setTimeout(() => {
      connect().then(
        () => (closed ? client?.end() : undefined),
        () => reconnect(),
      );
    }, 500).unref();
  }
  await connect();

  return {
    on(channel, callback) {
      const set = heard.get(channel) ?? new Set();
      heard.set(channel, set.add(callback));
      return () => {
        set.delete(callback);
        if (set.size === 0 && heard.get(channel) === set) heard.delete(channel);
      };
    },
    async notify(channel, payload) {
      await pool.query('select pg_notify($1, $2)', [CHANNEL, `${channel} ${payload}`]);
    },
    async close() {
      closed = true;
      await client?.end();
    },
  };
}

/** Statement text for a hint inside a transaction: parameters are channel and payload. */
export const NOTIFY_SQL = `select pg_notify('${CHANNEL}', $1::text || ' ' || $2::text)`;
