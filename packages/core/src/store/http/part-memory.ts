/**
 * Memory for bodies on their way: so many bytes for all uploads of a destination together, handed
 * out in the order of asking. It is what limits the parts that are sent at once, too.
 */

interface Waiting {
  readonly sizeBytes: number;
  readonly grant: () => void;
}

export class Budget {
  readonly #maxBytes: number;
  readonly #waiting = new Set<Waiting>();
  /** Held weakly: what nobody uses again is garbage like any other. */
  readonly #spare: WeakRef<Uint8Array>[] = [];
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Resolves with what gives the bytes back, once there is room for them. More than all there is
   * has the budget for itself. An abort while waiting takes nothing.
   */
  async take(
    sizeBytes: number,
    signals: readonly (AbortSignal | undefined)[],
  ): Promise<() => void> {
    for (const signal of signals) signal?.throwIfAborted();
    if (this.#waiting.size > 0 || !this.#hasRoomFor(sizeBytes)) {
      await this.#wait(sizeBytes, signals);
    } else {
      this.#usedBytes += sizeBytes;
    }
    let isTaken = true;
    return () => {
      if (isTaken) this.#giveBack(sizeBytes);
      isTaken = false;
    };
  }

  /**
   * Memory of just this size for what was taken; its bytes are anything. Some that was used before,
   * if there is any: the garbage of fast uploads would otherwise be a multiple of the budget.
   */
  borrow(sizeBytes: number): Uint8Array {
    for (let ref = this.#spare.pop(); ref !== undefined; ref = this.#spare.pop()) {
      const memory = ref.deref();
      if (memory?.byteLength === sizeBytes) return memory;
    }
    return Buffer.allocUnsafeSlow(sizeBytes);
  }

  /** To be used again. Only what was answered: something may still be sending what was not. */
  recycle(memory: Uint8Array): void {
    this.#spare.push(new WeakRef(memory));
  }

  async #wait(sizeBytes: number, signals: readonly (AbortSignal | undefined)[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { sizeBytes, grant: resolve };
    // Once granted it is in the set no more, and an abort is the business of whoever waited.
    const onAbort = (event: Event): void => {
      if (!this.#waiting.delete(waiting)) return;
      reject((event.target as AbortSignal).reason as Error);
      this.#grantNext(); // a smaller one behind it may fit
    };
    this.#waiting.add(waiting);
    for (const signal of signals) signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      for (const signal of signals) signal?.removeEventListener('abort', onAbort);
    }
  }

  #giveBack(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes;
    this.#grantNext();
  }

  #grantNext(): void {
    for (const waiting of this.#waiting) {
      if (!this.#hasRoomFor(waiting.sizeBytes)) return;
      this.#waiting.delete(waiting);
      this.#usedBytes += waiting.sizeBytes;
      waiting.grant();
    }
  }

  #hasRoomFor(sizeBytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + sizeBytes <= this.#maxBytes;
  }
}
