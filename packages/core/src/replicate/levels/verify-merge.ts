/**
 * Compares a merged file with its inputs: applies the inputs one after the other, as a restore would,
 * and requires the same pages in the merged file. It shares no code with the merge but the decoder, which
 * verifies the checksum of every file.
 *
 * It keeps a hash of each page, for a range of page numbers at a time, so that memory is bounded. A merge
 * of a very large database reads its files more than once.
 */

import type { Kernel } from '../../kernel/kernel.ts';
import { LTXDecoder } from '../../ltx/decoder.ts';
import type { LTXHeader } from '../../ltx/header.ts';

/** Opens a file and reads it from its start. */
export type OpenBody = () => AsyncIterable<Uint8Array>;

/** Pages of one range: 9 bytes of memory a page. 16 GiB of a database with pages of 4 KiB. */
const RANGE_PAGES = 4 * 1024 * 1024;
const CAPACITY_MIN = 1024;

/** What is wrong with the merged file; undefined if nothing is. LTX_… if a file is damaged. */
export async function verifyMerge(
  kernel: Kernel,
  inputs: readonly OpenBody[],
  merged: OpenBody,
  rangePages: number = RANGE_PAGES,
): Promise<string | undefined> {
  for (let first = 1, commit = first; first <= commit; first += rangePages) {
    const pages = new PageHashes(first, rangePages);
    let newest: LTXHeader | undefined;
    for (const input of inputs) {
      newest = await readPages(kernel, input, (pgno, low, high) => pages.set(pgno, low, high));
      pages.truncate(newest.commit);
      commit = Math.max(commit, newest.commit);
    }
    let wrong: number | undefined;
    const header = await readPages(kernel, merged, (pgno, low, high) => {
      if (!pages.take(pgno, low, high)) wrong ??= pgno;
    });
    if (wrong !== undefined) return `page ${wrong} is not its newest version`;
    const missing = pages.first();
    if (missing !== undefined) return `page ${missing} is missing`;
    if (header.commit !== newest?.commit || header.timestampMs !== newest.timestampMs) {
      return 'its header is not that of its newest input';
    }
  }
  return undefined;
}

/** Decodes a file and hashes its pages. */
async function readPages(
  kernel: Kernel,
  open: OpenBody,
  onPage: (pgno: number, low: number, high: number) => void,
): Promise<LTXHeader> {
  const decoder = new LTXDecoder(kernel);
  for await (const chunk of open()) {
    for (const batch of decoder.push(chunk)) {
      const pageSize = decoder.header?.pageSize ?? 0;
      const pgnos = batch.pgnos.slice(); // hashing calls the kernel, which overwrites these views
      const hashes = kernel.hashPages(batch.pages.slice(), pageSize, 0n);
      for (const [index, pgno] of pgnos.entries()) {
        onPage(pgno, hashes[index * 2] ?? 0, hashes[index * 2 + 1] ?? 0);
      }
    }
  }
  decoder.finish();
  return decoder.header as LTXHeader; // `finish` throws if there is none
}

/** Hashes of the pages from `first` on, `count` at most. Other pages are ignored. */
class PageHashes {
  readonly #first: number;
  readonly #count: number;
  #isPresent = new Uint8Array(CAPACITY_MIN);
  #hashes = new Uint32Array(CAPACITY_MIN * 2);

  constructor(first: number, count: number) {
    this.#first = first;
    this.#count = count;
  }

  set(pgno: number, low: number, high: number): void {
    const index = pgno - this.#first;
    if (index < 0 || index >= this.#count) return;
    if (index >= this.#isPresent.length) this.#grow(index + 1);
    this.#isPresent[index] = 1;
    this.#hashes[index * 2] = low;
    this.#hashes[index * 2 + 1] = high;
  }

  /** The database now has `commit` pages. */
  truncate(commit: number): void {
    this.#isPresent.fill(0, Math.max(0, commit + 1 - this.#first));
  }

  /** Removes a page. Returns false if it was not there with this hash. */
  take(pgno: number, low: number, high: number): boolean {
    const index = pgno - this.#first;
    if (index < 0 || index >= this.#count) return true;
    const isSame =
      this.#isPresent[index] === 1 &&
      this.#hashes[index * 2] === low &&
      this.#hashes[index * 2 + 1] === high;
    this.#isPresent[index] = 0;
    return isSame;
  }

  /** The first page that was not removed. */
  first(): number | undefined {
    const index = this.#isPresent.indexOf(1);
    return index < 0 ? undefined : this.#first + index;
  }

  #grow(count: number): void {
    const capacity = Math.min(this.#count, Math.max(count, this.#isPresent.length * 2));
    const isPresent = new Uint8Array(capacity);
    isPresent.set(this.#isPresent);
    this.#isPresent = isPresent;
    const hashes = new Uint32Array(capacity * 2);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
  }
}
