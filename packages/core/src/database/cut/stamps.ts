/**
 * The time in the header of a file. Restore asks it for "the state as of a moment".
 *
 * It is the wall clock's. A small step back is bridged: the time stays where it was until the clock
 * has caught up, so that times rise with TXIDs. A large step is followed at once, in either direction:
 * a clock that was a year ahead for a second must not stamp every file of the next year.
 */

/** A leap second, and what a time daemon steps without being asked. A bridge makes times wrong by at most this. */
export const STAMP_STEP_MS_MAX = 1_000;

/** The time for the next file, after one that bears `previous`. */
export function nextStamp(previous: number, wall: number): number {
  const back = previous - wall;
  return back > 0 && back <= STAMP_STEP_MS_MAX ? previous : wall;
}
