/** Bytes by digest in logical stores. `datasets` holds what people bring, `results` what attempts leave, `packages` what authors submit, `weights` what models start from. */
export const STORE_NAMES = ['datasets', 'results', 'packages', 'weights'] as const;
export type StoreName = (typeof STORE_NAMES)[number];

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
  /**
   * Takes a file whose digest is known. `move`: the file is gone afterwards. `link`: the file stays and shares its bytes with the store where the disk
   * allows it, else they are copied and checked; the file itself is never changed. Answers what was done.
   */
  adopt(
    store: StoreName,
    file: string,
    blob: StoredBlob,
    how: 'move' | 'link',
  ): Promise<'moved' | 'linked' | 'copied' | 'known'>;
  /** Where the bytes lie on this machine, to be read only. */
  localPath(store: StoreName, sha256: string): string;
  has(store: StoreName, sha256: string): Promise<boolean>;
  /** Bytes from `start` to `end` (exclusive). Throws `not-found` for an unknown digest before the first byte. */
  read(store: StoreName, sha256: string, range?: { start: number; end: number }): Promise<AsyncIterable<Uint8Array>>;
  delete(store: StoreName, sha256: string): Promise<void>;
}
