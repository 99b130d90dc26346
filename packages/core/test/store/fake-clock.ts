/** A clock that the test advances. */

import type { TimerClock } from '../../src/store/timers.ts';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
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

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Fires the next timer whenever nothing else can run, until the work has ended. */
  async run<T>(work: Promise<T>): Promise<T> {
    const state = { ended: false };
    const watched = work.finally(() => {
      state.ended = true;
    });
    watched.catch(() => undefined);
    await quiet();
    while (!state.ended) {
      const [next] = [...this.#timers].toSorted((a, b) => a.at - b.at);
      if (next === undefined) throw new Error('the work does not wait for this clock');
      this.#timers.delete(next);
      this.#now = next.at;
      next.callback();
      await quiet();
    }
    return await watched;
  }
}

/** Runs everything that does not wait for time. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
