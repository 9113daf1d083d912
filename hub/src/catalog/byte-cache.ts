import { createHash } from 'node:crypto';

export interface CachedBytes {
  readonly body: Buffer;
  readonly etag: string;
}

/**
 * Finished replies of public routes by generation and query. The generation rises with every announcement that changes what the public sees, which
 * empties the cache. Same key at once: made once. Only replies that are the same for everybody may enter.
 */
export class ByteCache {
  #entries = new Map<string, Promise<CachedBytes>>();
  #bytes = 0;
  readonly #limit: number;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  clear(): void {
    this.#entries = new Map();
    this.#bytes = 0;
  }

  async get(key: string, make: () => Promise<unknown>): Promise<CachedBytes> {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entries = this.#entries;
    const made = make().then((value) => {
      const body = Buffer.from(JSON.stringify(value));
      this.#bytes += body.length;
      if (this.#bytes > this.#limit) this.clear();
      return { body, etag: createHash('sha256').update(body).digest('base64url').slice(0, 22) };
    });
    entries.set(key, made);
    made.catch(() => entries.delete(key));
    return made;
  }
}
