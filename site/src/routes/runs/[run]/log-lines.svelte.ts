/** Most characters kept in the browser; the whole log is one download away. */
const MOST_CHARACTERS = 2_000_000;

export interface LogLine {
  readonly id: number;
  readonly stream: string;
  readonly text: string;
}
interface Piece {
  readonly stream: string;
  readonly text: string;
  readonly id?: number;
  readonly chunk?: number;
}

/** Log text as whole lines; a piece may end inside a line. Pieces that arrive in one frame are published together. */
export class LogLines {
  #lines: LogLine[] = [];
  readonly #open = new Map<string, number>();
  #seen = 0;
  #next = 1;
  #size = 0;
  #frame = 0;
  all = $state.raw<readonly LogLine[]>([]);

  constructor(pieces: readonly Piece[]) {
    this.replace(pieces);
  }

  replace(pieces: readonly Piece[]): void {
    this.#lines = [];
    this.#open.clear();
    this.#size = 0;
    this.#seen = 0;
    for (const piece of pieces) this.#take(piece);
    this.all = [...this.#lines];
  }

  append(piece: Piece): void {
    this.#take(piece);
    if (this.#frame === 0)
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.all = [...this.#lines];
      });
  }

  #take(piece: Piece): void {
    const number = piece.chunk ?? piece.id ?? 0;
    if (number !== 0 && number <= this.#seen) return; // sent again after a reconnect
    this.#seen = Math.max(this.#seen, number);
    const parts = piece.text.split('\n');
    parts.forEach((part, index) => {
      const text = part.includes('\r') ? (part.replace(/\r$/, '').split('\r').at(-1) ?? '') : part;
      const open = this.#open.get(piece.stream);
      const last = open === undefined ? -1 : this.#lines.findLastIndex((line) => line.id === open);
      const line = this.#lines[last];
      if (index === 0 && line !== undefined) this.#lines[last] = { ...line, text: line.text + text };
      else if (index < parts.length - 1 || text !== '') {
        this.#lines.push({ id: this.#next, stream: piece.stream, text });
        this.#open.set(piece.stream, this.#next++);
      }
      if (index < parts.length - 1) this.#open.delete(piece.stream);
    });
    this.#size += piece.text.length;
    while (this.#size > MOST_CHARACTERS && this.#lines.length > 1)
      this.#size -= (this.#lines.shift()?.text.length ?? 0) + 1;
  }
}
