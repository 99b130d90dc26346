/**
 * Which pages have been written, one bit each, shared by all threads. Files are taken newest first,
 * one after the other, so a page is written once, from the newest file that has it.
 */

export class Claims {
  readonly buffer: SharedArrayBuffer;
  readonly #bits: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#bits = new Int32Array(buffer);
  }

  static forPages(commit: number): Claims {
    return new Claims(new SharedArrayBuffer(4 * Math.ceil((commit + 1) / 32)));
  }

  /** Whether the page was free; it no longer is. */
  claim(pgno: number): boolean {
    const bit = 1 << (pgno & 31);
    return (Atomics.or(this.#bits, pgno >>> 5, bit) & bit) === 0;
  }

  /** The first page from 1 to `commit` that nobody claimed, `except` left out. */
  firstFree(commit: number, except: number): number | undefined {
    for (let pgno = 1; pgno <= commit; pgno++) {
      const word = this.#bits[pgno >>> 5] ?? 0;
      if ((word & (1 << (pgno & 31))) === 0 && pgno !== except) return pgno;
    }
    return undefined;
  }
}
