/**
 * Spaces the uploads to a destination whose sync interval is longer than that of its database. Uploads come in
 * rounds, at most one for each interval. A round sends the merged files that lead further, or the level-0 files
 * if there are none, up to the TXID that was the newest when it began. So commits that are not merged yet wait
 * for the next round. A round ends with a file of level 0, after which Litestream continues.
 */

import type { Clock } from '../../../clock.ts';
import { catchUp, type NextInput, type NextStep } from '../next.ts';

export interface PaceContext {
  readonly syncIntervalMs?: number | undefined;
  readonly databaseIntervalMs: number;
  readonly clock: Pick<Clock, 'monotonic'>;
}

export class Pace {
  readonly #intervalMs: number;
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** When the last round began. */
  #beganAt = -Infinity;
  /** The round sends everything up to this TXID; undefined between two rounds. */
  #target: bigint | undefined;
  #isDeferring = false;
  #isOff = false;

  /** Nothing is deferred if the interval is not longer than that of the database. */
  constructor({ syncIntervalMs = 0, databaseIntervalMs, clock }: PaceContext) {
    this.#intervalMs = syncIntervalMs > databaseIntervalMs ? syncIntervalMs : 0;
    this.#clock = clock;
  }

  get isOn(): boolean {
    return this.#intervalMs > 0 && !this.#isOff;
  }

  /** Whether the step must wait for the next round. */
  defers({ kind }: NextStep, input: NextInput): boolean {
    this.#isDeferring = false;
    if (!this.isOn || (kind !== 'increment' && kind !== 'merge')) return false;
    const { highest, files } = input.view;
    const isReached = this.#target !== undefined && files.topOf(0) >= this.#target;
    if (isReached) this.#target = undefined;
    if (this.#target === undefined) {
      const now = this.#clock.monotonic();
      if (now - this.#beganAt < this.#intervalMs) {
        this.#isDeferring = true;
        return true;
      }
      this.#beganAt = now;
      this.#target = highest > files.topOf(0) ? highest : (catchUp(input)?.reached ?? input.head);
    }
    return false;
  }

  /** Time until the deferred step may run; Infinity if none is deferred. */
  get dueInMs(): number {
    if (!this.#isDeferring) return Infinity;
    return Math.max(0, this.#beganAt + this.#intervalMs - this.#clock.monotonic());
  }

  /** From now on nothing is deferred: the process ends. */
  stop(): void {
    this.#isOff = true;
    this.#isDeferring = false;
  }
}
