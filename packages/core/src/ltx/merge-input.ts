/** One file of a merge: its pages one by one, from a body that comes in chunks. */

import { assert } from '../error.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { LTXDecoder, type DecodedBatch } from './decoder.ts';
import type { LTXHeader } from './header.ts';

/** The page number of a file that has no more pages: above all others. */
export const NO_MORE_PAGES: number = Number.POSITIVE_INFINITY;

export class MergeInput {
  readonly #body: AsyncIterator<Uint8Array>;
  readonly #decoder: LTXDecoder;
  readonly #portionBytes: number;
  #chunk: Uint8Array = new Uint8Array(0);
  #batches: Iterator<DecodedBatch, void> | undefined;
  // The present batch is a copy: the kernel works for other inputs before it is used up.
  #pgnos: Uint32Array = new Uint32Array(0);
  #pages: Uint8Array = new Uint8Array(0);
  #at = 0;
  #isFinished = false;

  /** `portionBytes`: how much of the file is decoded at once. */
  constructor(kernel: Kernel, body: AsyncIterable<Uint8Array>, portionBytes: number) {
    this.#body = body[Symbol.asyncIterator]();
    this.#decoder = new LTXDecoder(kernel);
    this.#portionBytes = portionBytes;
  }

  /** Reads until the first page, and so the header, is there. */
  async open(): Promise<LTXHeader> {
    await this.#fill();
    const { header } = this.#decoder;
    assert(header !== undefined, 'a file that has a page, or was finished, has a header');
    return header;
  }

  /** The present page's number. */
  get pgno(): number {
    return this.#pgnos[this.#at] ?? NO_MORE_PAGES;
  }

  /** The present page; a view that is good until `next`. */
  page(pageSize: number): Uint8Array {
    return this.#pages.subarray(this.#at * pageSize, (this.#at + 1) * pageSize);
  }

  /** To the page after. Gives a promise only where bytes must be read first. */
  next(): Promise<void> | undefined {
    this.#at += 1;
    return this.#at < this.#pgnos.length ? undefined : this.#fill();
  }

  /** Frees the body. */
  async close(): Promise<void> {
    await this.#body.return?.();
  }

  /** The next batch. At the end of the body the file is proved: see LTXDecoder.finish. */
  async #fill(): Promise<void> {
    this.#pgnos = new Uint32Array(0);
    this.#at = 0;
    while (this.#pgnos.length === 0 && !this.#isFinished) {
      this.#takeBatch();
      if (this.#batches === undefined && this.#chunk.length === 0) await this.#read();
    }
  }

  #takeBatch(): void {
    if (this.#batches === undefined) {
      if (this.#chunk.length === 0) return;
      this.#batches = this.#decoder.push(this.#chunk.subarray(0, this.#portionBytes));
      this.#chunk = this.#chunk.subarray(this.#portionBytes);
    }
    const result = this.#batches.next();
    if (result.done === true) {
      this.#batches = undefined;
      return;
    }
    const { pgnos, pages } = result.value;
    this.#pgnos = pgnos.slice();
    if (this.#pages.length < pages.length) this.#pages = new Uint8Array(pages.length);
    this.#pages.set(pages);
  }

  async #read(): Promise<void> {
    const { done, value } = await this.#body.next();
    if (done !== true) {
      this.#chunk = value;
      return;
    }
    this.#decoder.finish();
    this.#isFinished = true;
  }
}
