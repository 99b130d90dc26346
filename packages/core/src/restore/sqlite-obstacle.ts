/**
 * Tells a file that SQLite finds damaged from one that it cannot check, because a disk is full, or fails,
 * or does not let it create the files beside the database. Pure.
 */

/** SQLITE_NOMEM, SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN, and their extended codes. */
const OBSTACLES = /^SQLITE_(NOMEM|READONLY|IOERR|FULL|CANTOPEN)/;
/** The same, as numbers. The lowest byte of an extended code is the code. */
const OBSTACLE_NUMBERS: ReadonlySet<number> = new Set([7, 8, 10, 13, 14]);

/** Whether this error of SQLite says nothing about the database. */
export function isObstacle(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && OBSTACLES.test(code);
}

/** Whether this complaint of `quick_check` or `integrity_check` is about reading a page, not about its content. */
export function isObstacleComplaint(complaint: string): boolean {
  const number = /error code=(\d+)/.exec(complaint)?.[1];
  return number !== undefined && OBSTACLE_NUMBERS.has(Number(number) & 0xff);
}
