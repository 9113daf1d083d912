/** The last bytes of a stream, in bounded memory. */
export class TextTail {
  readonly #most: number;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(most: number) {
    this.#most = most;
  }

  push(chunk: Uint8Array): void {
    const joined = Buffer.concat([this.#bytes, chunk]);
    this.#bytes = joined.length > this.#most ? Buffer.from(joined.subarray(joined.length - this.#most)) : joined;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  lines(most: number): string {
    return this.#bytes.toString('utf8').trimEnd().split('\n').slice(-most).join('\n');
  }
}
