/**
 * Keeps the file that a restore replaces, as `<name>.before-<UTC time>`. It gets a second name before
 * the new file takes the first one, so a crash at any time leaves a complete database under the first
 * name. Where links are impossible, it is copied.
 */

import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import { ReplicationError } from '../error.ts';

/** Restores within one second; more would be a loop. */
const NAMES_MAX = 100;

/** Returns the new name of `file`. `temporary` is a free name beside it. */
export async function keepFile(file: string, at: Date, temporary: string): Promise<string> {
  const time = at.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  for (let number = 1; number <= NAMES_MAX; number += 1) {
    const kept = `${file}.before-${time}${number === 1 ? '' : `-${number}`}`;
    try {
      await fs.link(file, kept);
      return kept;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      if (await exists(kept)) continue;
      // No links on this volume, or no right to link a file of another user.
      await copyTo(file, kept, temporary);
      return kept;
    }
  }
  throw new ReplicationError(
    'RESTORE_OUTPUT',
    `keep ${file} as ${file}.before-${time}: ${NAMES_MAX} files have such names; move them away, or use -no-keep`,
  );
}

/** The copy gets its name when it is complete and durable. */
async function copyTo(file: string, kept: string, temporary: string): Promise<void> {
  try {
    await fs.copyFile(file, temporary, constants.COPYFILE_FICLONE);
    const handle = await fs.open(temporary, 'r+');
    try {
      const { mode, uid, gid } = await fs.stat(file);
      await handle.chmod(mode & 0o777);
      await handle.chown(uid, gid).catch(() => undefined); // only root may change owners
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.rename(temporary, kept);
  } catch (error) {
    await fs.rm(temporary, { force: true });
    const reason = error instanceof Error ? error.message : String(error);
    throw new ReplicationError(
      'RESTORE_OUTPUT',
      `keep ${file} as ${kept}: ${reason}. Nothing was replaced; free some space, or use -no-keep`,
      { cause: error },
    );
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await fs.stat(file);
    return true;
  } catch {
    return false;
  }
}
