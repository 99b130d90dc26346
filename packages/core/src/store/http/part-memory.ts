/** Memory for bodies on their way: so many bytes for all uploads of a client together. It limits the parts that are sent at once, too. */

import { Semaphore, type Release } from '../semaphore.ts';

export class PartMemory {
  readonly #budget: Semaphore;
  /** Held weakly: memory that nobody uses again is garbage like any other. */
  readonly #spare: WeakRef<Uint8Array>[] = [];

  constructor(bytesMax: number) {
    this.#budget = new Semaphore(bytesMax);
  }

  /** Resolves with a function that gives the bytes back, once there is room for them. */
  async take(sizeBytes: number, signals: readonly (AbortSignal | undefined)[]): Promise<Release> {
    return await this.#budget.take(signals, sizeBytes);
  }

  /**
   * Memory of just this size for bytes that were taken; its content is anything. Memory that was used
   * before, if there is any: the garbage of fast uploads would otherwise be a multiple of the budget.
   */
  borrow(sizeBytes: number): Uint8Array {
    for (let ref = this.#spare.pop(); ref !== undefined; ref = this.#spare.pop()) {
      const memory = ref.deref();
      if (memory?.byteLength === sizeBytes) return memory;
    }
    return Buffer.allocUnsafeSlow(sizeBytes);
  }

  /** To be used again. Only after the request was answered: something may still be sending it before. */
  recycle(memory: Uint8Array): void {
    this.#spare.push(new WeakRef(memory));
  }
}
