/** When something of this machine that failed is tried again: the wait doubles, and a success ends it. */

import type { Clock } from '../clock.ts';

export interface RetryLimits {
  readonly minMs: number;
  readonly maxMs: number;
}

export class Retry {
  readonly #clock: Clock;
  readonly #limits: RetryLimits;
  #lastMs = 0;
  #notBefore = -Infinity;

  constructor(clock: Clock, limits: RetryLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Whether the last try failed. */
  get isFailing(): boolean {
    return this.#lastMs > 0;
  }

  /** In how many ms the next try may be made; 0 where it may be now. */
  get waitMs(): number {
    return Math.max(0, this.#notBefore - this.#clock.monotonic());
  }

  /** Gives the wait. */
  failed(): number {
    const { minMs, maxMs } = this.#limits;
    this.#lastMs = Math.min(Math.max(minMs, this.#lastMs * 2), maxMs);
    this.#notBefore = this.#clock.monotonic() + this.#lastMs;
    return this.#lastMs;
  }

  succeeded(): void {
    this.#lastMs = 0;
    this.#notBefore = -Infinity;
  }
}
