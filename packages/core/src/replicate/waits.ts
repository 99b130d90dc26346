/** A wait with an end. */

// --- waiting for an event of another task: no polling, no lost wake-up ---

export class Wakeup {
  readonly #waiting = new Set<() => void>();
  #count = 0;

  /** How often it was notified: ask before you look, then wait for more `since` that. */
  get count(): number {
    return this.#count;
  }

  /** Wakes all who wait now. */
  readonly notify = (): void => {
    this.#count += 1;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  };

  /** Resolves at the next notify, or after `timeoutMs`. Ask for it before you look, then await it. */
  async next(timeoutMs: number = Infinity): Promise<void> {
    await this.since(this.#count, timeoutMs);
  }

  /** Resolves when it was notified more than `count` times, or after `timeoutMs`. */
  async since(count: number, timeoutMs: number = Infinity): Promise<void> {
    if (this.#count !== count) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer =
        timeoutMs === Infinity ? undefined : setTimeout(wake, Math.min(timeoutMs, TIMER_MS_MAX));
      this.#waiting.add(wake);
    });
  }
}

/** setTimeout takes no more than about 24 days: whoever waits longer looks again. */
const TIMER_MS_MAX = 20 * 24 * 3_600_000;

/** What `work` resolves with; undefined where it takes longer than `ms`. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
