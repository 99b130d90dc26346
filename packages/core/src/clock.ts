/**
 * Time as an argument. There are two clocks.
 *
 * The wall clock is set by people and by NTP: while the process runs, it may step back an hour, or
 * jump a year ahead and return. It is only used for times that are written or displayed. Intervals,
 * deadlines, waits and ages use the monotonic clock, which nobody can set.
 */

export interface Clock {
  /** Milliseconds since 1970, by this machine's clock. May step in either direction. */
  now(): number;
  /** Milliseconds that never decrease, the same in all threads. Only differences are meaningful. */
  monotonic(): number;
}

/** The clock of this machine. Both times are in milliseconds; `monotonic` is the same in all threads. */
export const systemClock: Clock = {
  now: () => Date.now(),
  // Not performance.now(): it starts at 0 in each thread.
  monotonic: () => Number(process.hrtime.bigint()) / 1e6,
};

/** The work of this part of an interval is done at the same time. */
const TOGETHER = 1 / 10;

/**
 * Time to wait for work that is due every `intervalMs`, at most so long and at least nine tenths of it, in whole
 * milliseconds. What is due every so often for thousands of databases is then due at few moments, whenever each of them
 * began: waking up a thread for each of them would take more processor time than the work.
 */
export function alignedMs(clock: Pick<Clock, 'monotonic'>, intervalMs: number): number {
  const stepMs = Math.ceil(intervalMs * TOGETHER);
  const now = clock.monotonic();
  const due = Math.floor((now + intervalMs) / stepMs) * stepMs;
  return Math.max(1, Math.ceil(due - now));
}
