/** A clock that a test turns. */

import type { TimerClock } from '../../src/store/timers.ts';

interface Timer {
  readonly at: number;
  readonly ring: () => void;
}

export class FakeClock implements TimerClock {
  #now = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, ring: () => void): () => void {
    const timer = { at: this.#now + ms, ring };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Whenever nothing else moves, rings the next timer, until the work has ended. */
  async run<T>(work: Promise<T>): Promise<T> {
    const state = { ended: false };
    const watched = work.finally(() => {
      state.ended = true;
    });
    watched.catch(() => undefined);
    await quiet();
    while (!state.ended) {
      const [next] = [...this.#timers].toSorted((a, b) => a.at - b.at);
      if (next === undefined) throw new Error('the work waits for nothing that this clock knows');
      this.#timers.delete(next);
      this.#now = next.at;
      next.ring();
      await quiet();
    }
    return await watched;
  }
}

/** Lets everything run that can. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
