/** Whether there is a database to continue, or one to restore. */

import fs from 'node:fs';

/** An empty file is not a database. A file that cannot be checked does not count as missing. */
export function isMissing(file: string): boolean {
  try {
    return fs.statSync(file).size === 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
