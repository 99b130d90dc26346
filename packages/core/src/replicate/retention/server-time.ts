/**
 * The server's time, or an earlier one. It is known from the answers to writes: each has the server's time, and
 * the monotonic clock tells how long ago that was. The wall clock of this machine is not used.
 *
 * Of the answers of the last one to two hours the earliest time counts. So a clock that jumps ahead for less
 * than an hour has no effect, and one that is set back has it at once: what is judged by this time is judged
 * too young, not too old. A process that has just begun knows one answer only, so it believes none: the first
 * two must be that far apart. A machine often has a wrong clock right after it starts, and a folder has no other.
 */

import type { Clock } from '../../clock.ts';

/** A clock must be ahead for this long before it is believed. */
const PERIOD_MS = 3_600_000;

export class ServerTime {
  readonly #clock: Clock;
  #firstAt: number | undefined;
  /** An answer came long after the first one. */
  #isConfirmed = false;
  #beganAt = -Infinity;
  /** Server's time minus monotonic time: the least of this period, and of the one before. */
  #offsetMs = Infinity;
  #offsetBeforeMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An answer had this time. */
  observe(serverMs: number): void {
    const now = this.#clock.monotonic();
    this.#firstAt ??= now;
    this.#isConfirmed ||= now - this.#firstAt >= PERIOD_MS;
    if (now - this.#beganAt >= PERIOD_MS) {
      this.#beganAt = now;
      this.#offsetBeforeMs = this.#offsetMs;
      this.#offsetMs = Infinity;
    }
    this.#offsetMs = Math.min(this.#offsetMs, serverMs - now);
  }

  /** undefined until answers came that are an hour apart. */
  get nowMs(): number | undefined {
    return this.#isConfirmed ? this.answeredMs : undefined;
  }

  /** By the answers so far, also if there is only one; undefined until it came. */
  get answeredMs(): number | undefined {
    const offsetMs = Math.min(this.#offsetMs, this.#offsetBeforeMs);
    return offsetMs === Infinity ? undefined : this.#clock.monotonic() + offsetMs;
  }
}
