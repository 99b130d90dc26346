/** Compares the index of a file, as it comes, with the one that its frames must have. */

import { ReplicationError } from '../error.ts';
import type { PageOrder } from './page-order.ts';

export class IndexChecker {
  /** The length after the index. */
  static readonly LENGTH_SIZE_BYTES: number = 8;
  readonly #expected: Uint8Array;
  #at = 0;

  constructor(order: PageOrder) {
    this.#expected = order.expectedIndex();
  }

  push(bytes: Uint8Array): void {
    const expected = this.#expected.subarray(this.#at, this.#at + bytes.length);
    if (Buffer.compare(expected, bytes) !== 0) {
      throw new ReplicationError(
        'LTX_INVALID',
        'the page index of an LTX file is not that of its pages',
      );
    }
    this.#at += bytes.length;
  }

  /** `rest` is what was not pushed yet: index and length must end with it. */
  finish(rest: Uint8Array): void {
    this.push(rest);
    if (this.#at !== this.#expected.length) {
      throw new ReplicationError('LTX_INVALID', 'the page index of an LTX file is not whole');
    }
  }
}
