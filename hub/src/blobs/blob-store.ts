/** Bytes by digest in logical stores. `datasets` holds what people bring, `results` what attempts leave, `packages` what authors submit. */
export type StoreName = 'datasets' | 'results' | 'packages';

export interface StoredBlob {
  /** Hex, without prefix. */
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Contract of every store. All methods may run at once, also twice with the same digest.
 * `put` is durable when it returns (written, fsynced, renamed); equal bytes again cost a read and change nothing; a failure leaves nothing behind.
 */
export interface BlobStore {
  /** Streams into a temporary file while hashing once. Refuses more than `maxBytes`, and a digest other than `expect`. */
  put(
    store: StoreName,
    source: AsyncIterable<Uint8Array>,
    options?: { expect?: string; maxBytes?: number },
  ): Promise<StoredBlob>;
  has(store: StoreName, sha256: string): Promise<boolean>;
  /** Bytes from `start` to `end` (exclusive). Throws `not-found` for an unknown digest before the first byte. */
  read(store: StoreName, sha256: string, range?: { start: number; end: number }): Promise<AsyncIterable<Uint8Array>>;
  delete(store: StoreName, sha256: string): Promise<void>;
}
