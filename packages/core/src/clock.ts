/**
 * Time as an argument. There are two clocks, and each question has one of them.
 *
 * The wall clock is set by people and by NTP: it may step back an hour, or jump a year ahead and
 * return, while the process runs. So it only gives times that are written or shown. Intervals,
 * deadlines, waits and ages come from the monotonic clock, which no one can set.
 */

export interface Clock {
  /** Milliseconds since 1970, as this machine believes. May step either way. */
  now(): number;
  /** Milliseconds that only rise. The same in all threads; differences mean something, the value does not. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  // Not performance.now(): that begins at 0 in each thread.
  monotonic: () => Number(process.hrtime.bigint()) / 1e6,
};
