/** "full snapshot sent: 210 MiB in 12 s": how much a full snapshot was, and how long it took. */

import type { Clock } from '../clock.ts';
import { formatBytes } from '../config/bytes.ts';

export class SentSnapshot {
  readonly #beganAt: number;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #sizeBytes = 0;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    this.#beganAt = clock.monotonic();
  }

  add(sizeBytes: number): void {
    this.#sizeBytes += sizeBytes;
  }

  describe(): string {
    const seconds = (this.#clock.monotonic() - this.#beganAt) / 1_000;
    const rounded = Number(seconds.toFixed(seconds < 10 ? 1 : 0));
    return `full snapshot sent: ${formatBytes(this.#sizeBytes)} in ${rounded} s`;
  }
}
