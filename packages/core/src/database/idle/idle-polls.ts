/**
 * Limits the processor time for the closed databases of one thread. Their files are watched, so a poll is needed only
 * where the system reports no change. A poll takes about 50 microseconds: the more databases are closed, the rarer are
 * the polls of each.
 */

/** All polls together take about 0.1 % of a core: one in this time. */
const POLL_EVERY_MS = 50;

export class IdlePolls {
  #count = 0;

  /** A database is closed. */
  add(): void {
    this.#count += 1;
  }

  /** A database that was closed is opened, or no longer replicated. */
  remove(): void {
    this.#count -= 1;
  }

  /** Time until the next poll of a database, from `pollMs` to `pollMsMax`. */
  intervalMs(pollMs: number, pollMsMax: number): number {
    return Math.max(pollMs, Math.min(pollMsMax, this.#count * POLL_EVERY_MS));
  }
}
