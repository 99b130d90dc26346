/**
 * The index that a file must have, known from its page frames: as a length and a CRC, so that it
 * costs no memory, however many pages there are.
 */

import type { Kernel } from '../kernel/kernel.ts';
import { encodeEntries, entriesBytesMax } from './page-index.ts';

export interface IndexDigest {
  /** The zero byte at its end included. */
  readonly sizeBytes: number;
  readonly crc: bigint;
}

export class ExpectedIndex {
  readonly #kernel: Pick<Kernel, 'crc64'>;
  #pending: Uint8Array = new Uint8Array(0);
  #pendingBytes = 0;
  #sizeBytes = 0;
  #crc = 0n;

  constructor(kernel: Pick<Kernel, 'crc64'>) {
    this.#kernel = kernel;
  }

  /** Frames that follow each other, the first at `offset`. Does not call the kernel: `settle` does. */
  add(pgnos: Uint32Array, sizes: Uint32Array, offset: number): void {
    const room = entriesBytesMax(pgnos.length);
    if (this.#pending.length < room) this.#pending = new Uint8Array(room);
    this.#pendingBytes = encodeEntries(this.#pending, pgnos, sizes, offset);
  }

  /** Hashes what was added. Before the next `add`, when the kernel's output is no longer needed. */
  settle(): void {
    if (this.#pendingBytes === 0) return;
    this.#hash(this.#pending.subarray(0, this.#pendingBytes));
    this.#pendingBytes = 0;
  }

  finish(): IndexDigest {
    this.settle();
    this.#hash(new Uint8Array(1));
    return { sizeBytes: this.#sizeBytes, crc: this.#crc };
  }

  #hash(bytes: Uint8Array): void {
    this.#crc = this.#kernel.crc64(bytes, this.#crc);
    this.#sizeBytes += bytes.length;
  }
}
