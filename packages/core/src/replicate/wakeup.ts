/** Waiting for something that somebody else does: no polling, no lost wake-up. */

export class Wakeup {
  #waiting: (() => void)[] = [];

  /** Wakes all who wait now. */
  readonly notify = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  };

  /** Resolves at the next notify, or after `timeoutMs`. Ask for it before you look, then await it. */
  next(timeoutMs?: number): Promise<void> {
    return new Promise((resolve) => {
      if (timeoutMs === undefined) {
        this.#waiting.push(resolve);
        return;
      }
      const timer = setTimeout(resolve, timeoutMs);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
