/**
 * How many calls of a destination are on their way at once: one limiter for all of its replicas.
 * A slot is held by an attempt until its first byte has come, so that a reader that pauses, or
 * reads two files at a time, can neither hold up others nor wait for itself.
 */

import { reasonOf } from '../timers.ts';

/** Enough to fill a link over a latency of 100 ms; few enough for providers that count sockets. */
export const CALLS_MAX = 16;

/** One that is free. It must be held, once: it is given back when that work has settled. */
interface Slot {
  hold<T>(work: () => Promise<T>): Promise<T>;
}

/** Slots, handed out in the order of asking. */
export class Limiter {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(slots: number) {
    this.#free = slots;
  }

  /** Holds a slot while `work` runs. An abort while waiting takes none. */
  async run<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const slot = await this.take(signal);
    return await slot.hold(work);
  }

  /** Waits for a slot; whoever has it holds it while some work lasts, that is waited for or not. */
  async take(signal: AbortSignal | undefined): Promise<Slot> {
    await this.#acquire(signal);
    return {
      hold: async (work) => {
        try {
          return await work();
        } finally {
          this.#release();
        }
      },
    };
  }

  async #acquire(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => {
      // A slot that was handed over in this very moment is not lost: then `resolve` came first.
      if (this.#waiting.delete(resolve)) reject(reasonOf(signal));
    };
    this.#waiting.add(resolve);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
