import type { StopAsked } from '@trainyard/plugin-sdk/api';

/**
 * What somebody asked of one attempt. Heard several times (signal stream and every renewal); listeners hear only what is new. A cancel replaces
 * a pause, never the reverse.
 */
export class StopRequests {
  #current: StopAsked | null = null;
  readonly #listeners = new Set<(stop: StopAsked) => void>();

  get current(): StopAsked | null {
    return this.#current;
  }

  ask(stop: StopAsked): void {
    const known = this.#current;
    if (known !== null && (known.what === stop.what || known.what === 'cancel') && known.grace <= stop.grace) return;
    this.#current = known?.what === 'cancel' ? { ...stop, what: 'cancel' } : stop;
    for (const listener of this.#listeners) listener(this.#current);
  }

  /** Calls at once when something was asked already. Answers how to stop listening. */
  listen(listener: (stop: StopAsked) => void): () => void {
    this.#listeners.add(listener);
    if (this.#current !== null) listener(this.#current);
    return () => this.#listeners.delete(listener);
  }
}
