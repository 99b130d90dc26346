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
