/** A weighted semaphore that grants requests in order. An abort while waiting takes nothing. */

import { onAbort } from './abort.ts';

/** Releases the acquired weight. Safe to call twice. */
export type Release = () => void;

interface Waiting {
  readonly weight: number;
  readonly grant: () => void;
}

export class Semaphore {
  readonly #capacity: number;
  readonly #waiting = new Set<Waiting>();
  #used = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Number of waiting requests. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves when there is room for `weight`. A weight above the capacity waits until all of it is free. */
  async take(
    signals: readonly (AbortSignal | undefined)[] = [],
    weight: number = 1,
  ): Promise<Release> {
    for (const signal of signals) signal?.throwIfAborted();
    if (this.#waiting.size > 0 || !this.#hasRoomFor(weight)) await this.#wait(weight, signals);
    else this.#used += weight;
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#used -= weight;
      this.#grantNext();
    };
  }

  /** Holds one slot while `work` runs. */
  async run<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const release = await this.take([signal]);
    try {
      return await work();
    } finally {
      release();
    }
  }

  async #wait(weight: number, signals: readonly (AbortSignal | undefined)[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { weight, grant: resolve };
    this.#waiting.add(waiting);
    const stop = onAbort(signals, (reason) => {
      // Already granted: it is no longer in the set, and the caller has it.
      if (!this.#waiting.delete(waiting)) return;
      reject(reason);
      this.#grantNext(); // a smaller request behind it may fit
    });
    try {
      await promise;
    } finally {
      stop();
    }
  }

  #grantNext(): void {
    for (const waiting of this.#waiting) {
      if (!this.#hasRoomFor(waiting.weight)) return;
      this.#waiting.delete(waiting);
      this.#used += waiting.weight;
      waiting.grant();
    }
  }

  #hasRoomFor(weight: number): boolean {
    return this.#used === 0 || this.#used + weight <= this.#capacity;
  }
}
