/** One input of a merge: reads its pages one by one from a body that arrives in chunks. */

import { assert } from '../error.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { LTXDecoder, type DecodedBatch } from './decoder.ts';
import type { LTXHeader } from './header.ts';

/** Page number of an input that has no more pages: higher than all others. */
export const NO_MORE_PAGES: number = Number.POSITIVE_INFINITY;

export class MergeInput {
  readonly #body: AsyncIterator<Uint8Array>;
  readonly #decoder: LTXDecoder;
  readonly #portionBytes: number;
  #chunk: Uint8Array = new Uint8Array(0);
  #batches: Iterator<DecodedBatch, void> | undefined;
  // The current batch is a copy, because the kernel works for other inputs before it is used up.
  #pgnos: Uint32Array = new Uint32Array(0);
  #pages: Uint8Array = new Uint8Array(0);
  #at = 0;
  #isFinished = false;

  /** `portionBytes`: how many bytes of the file to decode at once. */
  constructor(kernel: Kernel, body: AsyncIterable<Uint8Array>, portionBytes: number) {
    this.#body = body[Symbol.asyncIterator]();
    this.#decoder = new LTXDecoder(kernel);
    this.#portionBytes = portionBytes;
  }

  /** Reads until the first page arrives, or the end; both include the header. */
  async open(): Promise<LTXHeader> {
    await this.#fill();
    const { header } = this.#decoder;
    assert(header !== undefined, 'a file that has a page, or was finished, has a header');
    return header;
  }

  /** Number of the current page. */
  get pgno(): number {
    return this.#pgnos[this.#at] ?? NO_MORE_PAGES;
  }

  /** The current page; a view that is valid until `next`. */
  page(pageSize: number): Uint8Array {
    return this.#pages.subarray(this.#at * pageSize, (this.#at + 1) * pageSize);
  }

  /** Moves to the next page. Returns a promise only if bytes must be read first. */
  next(): Promise<void> | undefined {
    this.#at += 1;
    return this.#at < this.#pgnos.length ? undefined : this.#fill();
  }

  /** Frees the body. */
  async close(): Promise<void> {
    await this.#body.return?.();
  }

  /** Reads the next batch. At the end of the body, verifies the file: see LTXDecoder.finish. */
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
