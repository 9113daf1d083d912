import type { LiveMessage } from '../api/route.ts';

/**
 * Reads `text/event-stream`. Ends when the server ends or the signal fires; reconnecting with the last id is the caller's loop (`followLive`).
 * Comment lines (pings) are dropped.
 */
export async function* readEventStream<T>(body: AsyncIterable<Uint8Array>): AsyncIterable<LiveMessage<T>> {
  const decoder = new TextDecoder();
  let rest = '';
  let id = '';
  let data: string[] = [];
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    let end = rest.indexOf('\n');
    while (end >= 0) {
      const line = rest.slice(0, end).replace(/\r$/, '');
      rest = rest.slice(end + 1);
      if (line === '') {
        if (data.length > 0) yield { id, data: JSON.parse(data.join('\n')) as T };
        data = [];
      } else if (line.startsWith('data:')) data.push(line.slice(5).trimStart());
      else if (line.startsWith('id:')) id = line.slice(3).trim();
      end = rest.indexOf('\n');
    }
  }
}

/** Follows a live route for ever: reconnects from the last id with back-off until the signal fires or `done` says the stream is complete. */
export async function* followLive<T>(
  open: (after: string | undefined) => Promise<AsyncIterable<LiveMessage<T>>>,
  options: { after?: string; signal: AbortSignal; done: (message: T) => boolean },
): AsyncIterable<LiveMessage<T>> {
  let after = options.after;
  let wait = 200;
  while (!options.signal.aborted) {
    try {
      for await (const message of await open(after)) {
        wait = 200;
        if (message.id !== '') after = message.id;
        yield message;
        if (options.done(message.data)) return;
      }
    } catch (error) {
      if (options.signal.aborted) return;
      if (error instanceof Error && 'status' in error && Number(error.status) < 500) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, 5000);
  }
}
