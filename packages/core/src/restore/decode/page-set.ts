/**
 * A set of page numbers, one bit each, in chunks that are allocated when a number is added: a file
 * that claims a huge database size cannot make us allocate memory for it.
 */

/** 32 KiB per chunk: 1 GiB of 4 KiB pages. */
const CHUNK_BITS = 18;
const CHUNK_PAGES: number = 1 << CHUNK_BITS;

export class PageSet {
  readonly #chunks = new Map<number, Uint32Array>();
  #count = 0;
  #chunk: Uint32Array = new Uint32Array(0);
  #chunkNumber = -1;

  get count(): number {
    return this.#count;
  }

  /** Adds the page. Returns false if it was already in the set. */
  add(pgno: number): boolean {
    const chunk = this.#chunkAt(Math.floor(pgno / CHUNK_PAGES));
    const at = pgno % CHUNK_PAGES;
    const word = chunk[at >>> 5] ?? 0;
    const bit = 1 << (at & 31);
    if ((word & bit) !== 0) return false;
    chunk[at >>> 5] = word | bit;
    this.#count += 1;
    return true;
  }

  has(pgno: number): boolean {
    const at = pgno % CHUNK_PAGES;
    const word = this.#chunks.get(Math.floor(pgno / CHUNK_PAGES))?.[at >>> 5] ?? 0;
    return (word & (1 << (at & 31))) !== 0;
  }

  /** Numbers come in runs, so the last chunk is cached. */
  #chunkAt(number: number): Uint32Array {
    if (number !== this.#chunkNumber) {
      let chunk = this.#chunks.get(number);
      if (chunk === undefined) {
        chunk = new Uint32Array(CHUNK_PAGES / 32);
        this.#chunks.set(number, chunk);
      }
      this.#chunk = chunk;
      this.#chunkNumber = number;
    }
    return this.#chunk;
  }
}
