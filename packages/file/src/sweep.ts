/** Removes what a process that was killed left behind: temporary files of ours, older than a day. */

import { lstat, unlink } from 'node:fs/promises';
import { join } from 'node:path';

import type { Logger } from '@sluice/core/backend';
import { isLeftover, TEMP_SUFFIX } from '@sluice/core/backend/folder';

import { systemCode } from './errors.ts';

/** Of the names in a folder, removes those that are ours and old. Never fails a listing. */
export async function sweep(
  folder: string,
  names: readonly string[],
  logger: Logger,
  now: number = Date.now(),
): Promise<void> {
  for (const name of names) {
    if (!name.endsWith(TEMP_SUFFIX)) continue;
    const path = join(folder, name);
    try {
      // Not mtime: that is set to the time of the transaction.
      const { ctimeMs } = await lstat(path);
      if (!isLeftover(name, ctimeMs, now)) continue;
      await unlink(path);
      logger.info('removed a temporary file of an interrupted write', { path });
    } catch (error) {
      if (systemCode(error) === 'ENOENT') continue; // its writer has just finished, or swept
      logger.warn('cannot remove a temporary file of an interrupted write', { path, error });
    }
  }
}
