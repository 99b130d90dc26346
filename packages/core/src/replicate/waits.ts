/** Waits that are bounded or can be woken. */

// --- waiting for an event of another task without polling or lost wake-ups ---

export class Wakeup {
  /** No set, which is larger: there are thousands of these, and mostly one waits. */
  #waiting: (() => void)[] = [];
  #count = 0;

  /** Number of notifications. Read it before checking a condition, then pass it to `since`. */
  get count(): number {
    return this.#count;
  }

  /** Wakes all current waiters. */
  readonly notify = (): void => {
    this.#count += 1;
    for (const wake of this.#waiting.splice(0)) wake();
  };

  /**
   * Resolves at the next notification or after `timeoutMs`. Call it before checking a condition,
   * then await it.
   */
  async next(timeoutMs: number = Infinity): Promise<void> {
    await this.since(this.#count, timeoutMs);
  }

  /** Resolves once there were more than `count` notifications, or after `timeoutMs`. */
  async since(count: number, timeoutMs: number = Infinity): Promise<void> {
    if (this.#count !== count) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        const index = this.#waiting.indexOf(wake);
        if (index >= 0) this.#waiting.splice(index, 1);
        resolve();
      };
      const timer =
        timeoutMs === Infinity ? undefined : setTimeout(wake, Math.min(timeoutMs, TIMER_MS_MAX));
      this.#waiting.push(wake);
    });
  }
}

/** setTimeout accepts at most about 24 days. A longer wait resolves early; the caller checks again. */
const TIMER_MS_MAX = 20 * 24 * 3_600_000;

/** Resolves with the result of `work`, or with undefined if it takes longer than `ms`. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
