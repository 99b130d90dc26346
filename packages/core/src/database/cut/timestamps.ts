/**
 * Timestamps in file headers, which restore uses to find the state as of a given time.
 *
 * They come from the wall clock. After a small step back, the timestamp stays the same until the clock
 * has caught up, so that timestamps do not decrease. A large step is followed immediately in either
 * direction: a clock that was a year ahead for a second must not affect the files of the next year.
 */

/** Maximum step back that is bridged, such as a leap second. Also the maximum error of a timestamp. */
export const TIMESTAMP_STEP_MS_MAX = 1_000;

/** The timestamp of the next file, after a file with timestamp `previous`. */
export function nextTimestamp(previous: number, wall: number): number {
  const back = previous - wall;
  return back > 0 && back <= TIMESTAMP_STEP_MS_MAX ? previous : wall;
}
