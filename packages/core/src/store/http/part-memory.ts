/** A memory budget for all uploads of a client. It also limits the number of parts sent concurrently. */

import { Semaphore, type Release } from '../semaphore.ts';

/** Memory for the parts of uploads, limited to `bytesMax` bytes in use at a time. */
export class PartMemory {
  readonly #budget: Semaphore;
  /** Weak references, so that unused memory can be garbage-collected. */
  readonly #spare: WeakRef<Uint8Array>[] = [];

  constructor(bytesMax: number) {
    this.#budget = new Semaphore(bytesMax);
  }

  /** Resolves when there is room for the bytes, with a function that releases them. */
  async take(sizeBytes: number, signals: readonly (AbortSignal | undefined)[]): Promise<Release> {
    return await this.#budget.take(signals, sizeBytes);
  }

  /**
   * Returns uninitialized memory of this size for bytes that were taken. Reuses memory if possible:
   * otherwise the garbage of fast uploads would be a multiple of the budget.
   */
  borrow(sizeBytes: number): Uint8Array {
    for (let ref = this.#spare.pop(); ref !== undefined; ref = this.#spare.pop()) {
      const memory = ref.deref();
      if (memory?.byteLength === sizeBytes) return memory;
    }
    return Buffer.allocUnsafeSlow(sizeBytes);
  }

  /** Returns memory for reuse. Call it only after the response: the request may still be sending it. */
  recycle(memory: Uint8Array): void {
    this.#spare.push(new WeakRef(memory));
  }
}
