/**
 * How long a drill that nobody watches may examine a restored database. Pure. An assertion may never end, and
 * the next drills wait for it.
 *
 *  longest of                                  because
 *  EXAMINATION_MS_MIN                          a busy machine is slow even with a small database
 *  SHARE_OF_INTERVAL of the interval           slow assertions are fine, if they leave time for other drills
 *  the time to read the database once for      a large database on a slow disk takes hours
 *  each check, at READ_BYTES_PER_MS_MIN
 *
 * but never more than EXAMINATION_MS_MAX.
 */

export interface ExaminationSize {
  /** Interval of the schedule. */
  readonly everyMs: number;
  readonly databaseBytes: number;
  readonly assertions: number;
}

const EXAMINATION_MS_MIN = 60_000;
/** A timer cannot wait longer than about 24 days. */
const EXAMINATION_MS_MAX: number = 20 * 24 * 3_600_000;
const SHARE_OF_INTERVAL = 0.25;
/** 4 MiB/s: a slow disk that others use too. */
const READ_BYTES_PER_MS_MIN: number = (4 * 1024 ** 2) / 1_000;
/** SQLite's own check, and the comparison with the live database. */
const OTHER_CHECKS = 2;

/** The time limit of the checks of one drill, in milliseconds. */
export function examinationLimitMs(size: ExaminationSize): number {
  const { everyMs, databaseBytes, assertions } = size;
  const readMs = (databaseBytes * (assertions + OTHER_CHECKS)) / READ_BYTES_PER_MS_MIN;
  const neededMs = Math.max(EXAMINATION_MS_MIN, everyMs * SHARE_OF_INTERVAL, readMs);
  return Math.ceil(Math.min(neededMs, EXAMINATION_MS_MAX));
}
