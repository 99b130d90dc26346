/**
 * One checksum for each page of a database at one TXID, in memory. A page without a checksum matches
 * nothing, so it counts as changed.
 *
 * A checksum is the XXH64 of the page with a random seed. Two versions of a page that differ by accident
 * have the same one with a probability of 2^-64.
 */

import type { Kernel } from '../../kernel/kernel.ts';

const BYTES_PER_PAGE = 8;

/** Maximum memory for the checksums of one database: 32 GiB in pages of 4 KiB. Larger ones have none. */
const TABLE_BYTES_MAX = 64 * 1024 * 1024;

export const CHECKSUMMED_PAGES_MAX: number = TABLE_BYTES_MAX / BYTES_PER_PAGE;

/** The pages of one file and their checksums, as two words each (`Kernel.hashPages`). */
export interface PageChecksums {
  readonly pgnos: Uint32Array;
  readonly words: Uint32Array;
}

export class ChecksumTable {
  readonly pageSize: number;
  readonly seed: bigint;
  /** Low and high word of each page; 0 and 0 without a checksum. May be longer than needed. */
  #words: Uint32Array;
  #pages: number;

  constructor(pageSize: number, seed: bigint, words: Uint32Array = new Uint32Array(0)) {
    this.pageSize = pageSize;
    this.seed = seed;
    this.#words = words;
    this.#pages = words.length / 2;
  }

  /** Database size in pages. */
  get pages(): number {
    return this.#pages;
  }

  /** The checksums of all pages; a view. */
  get words(): Uint32Array {
    return this.#words.subarray(0, 2 * this.#pages);
  }

  /** Sets the database size. Pages that are added have no checksum. */
  resize(pages: number): void {
    if (2 * pages > this.#words.length) {
      const grown = new Uint32Array(2 * Math.ceil(pages * 1.25));
      grown.set(this.words);
      this.#words = grown;
    }
    // A page beyond the end has none if it comes back.
    if (pages < this.#pages) this.#words.fill(0, 2 * pages, 2 * this.#pages);
    this.#pages = pages;
  }

  /** Sets checksums of pages, after the database has grown or shrunk to `commit` pages. */
  apply({ pgnos, words }: PageChecksums, commit: number): void {
    this.resize(commit);
    for (const [index, pgno] of pgnos.entries()) {
      if (pgno > commit) continue;
      this.#words[2 * pgno - 2] = words[2 * index] ?? 0;
      this.#words[2 * pgno - 1] = words[2 * index + 1] ?? 0;
    }
  }

  /** Sets the checksums of consecutive pages, which may be beyond the end. */
  setFrom(firstPgno: number, words: Uint32Array): void {
    const last = firstPgno - 1 + words.length / 2;
    if (last > this.#pages) this.resize(last);
    this.#words.set(words, 2 * (firstPgno - 1));
  }

  /** Whether page `pgno` has this checksum. */
  matches(pgno: number, low: number, high: number): boolean {
    if (pgno > this.#pages || (low === 0 && high === 0)) return false;
    return this.#words[2 * pgno - 2] === low && this.#words[2 * pgno - 1] === high;
  }

  /** Two words for each of `pages`; valid until the next call of the kernel. */
  hash(kernel: Kernel, pages: Uint8Array): Uint32Array {
    return kernel.hashPages(pages, this.pageSize, this.seed);
  }
}
