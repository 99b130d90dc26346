/** A network link: all answers share its bandwidth. */

import { setTimeout as sleep } from 'node:timers/promises';

/** Timers are that exact. */
const WAIT_MS_MIN = 1;

export class Link {
  readonly #bytesPerSecond: number;
  /** When everything sent so far has passed. */
  #freeAt = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Resolves when so many bytes have passed. */
  async pass(sizeBytes: number): Promise<void> {
    const now = performance.now();
    this.#freeAt = Math.max(now, this.#freeAt) + (sizeBytes / this.#bytesPerSecond) * 1_000;
    if (this.#freeAt - now >= WAIT_MS_MIN) await sleep(this.#freeAt - now);
  }
}
