/**
 * Keeps the file that a restore replaces, as `<name>.before-<UTC time>`. It gets a second name before
 * the new file takes the first one, so a crash at any time leaves a complete database under the first
 * name. Where links are impossible, it is copied.
 *
 * A process that has the old database open still commits to its WAL, before and after that. The WAL
 * gets a second name too, so those commits are in the kept database.
 */

import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { isMissing } from '../file-system.ts';
import { ReplicationError } from '../error.ts';
import { isSameFile, statOf } from './output-target.ts';

/** Restores within one second; more would be a loop. */
const NAMES_MAX = 100;

/** The new names of a database that was replaced. */
export interface KeptDatabase {
  readonly file: string;
  /** Its WAL; undefined if no process had the database open. */
  readonly wal: string | undefined;
}

/** `temporary` is a free name beside `file`. If it fails, it leaves nothing behind. */
export async function keepFile(file: string, at: Date, temporary: string): Promise<KeptDatabase> {
  const time = at.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  for (let number = 1; number <= NAMES_MAX; number += 1) {
    const kept = `${file}.before-${time}${number === 1 ? '' : `-${number}`}`;
    if (await exists(`${kept}-wal`)) continue; // SQLite would apply it to the kept file
    try {
      await fs.link(file, kept);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      if (await exists(kept)) continue;
      // No links on this volume, or no right to link a file of another user.
      return await copyBoth(file, kept, temporary);
    }
    try {
      return { file: kept, wal: await linkWAL(file, kept) };
    } catch {
      // Not a link and a copy: the process would go on to change only one of them.
      await fs.rm(kept, { force: true });
      return await copyBoth(file, kept, temporary);
    }
  }
  throw new ReplicationError(
    'RESTORE_OUTPUT',
    `keep ${file} as ${file}.before-${time}: ${NAMES_MAX} files have such names; move them away, or use -no-keep`,
  );
}

async function linkWAL(file: string, kept: string): Promise<string | undefined> {
  try {
    await fs.link(`${file}-wal`, `${kept}-wal`);
    return `${kept}-wal`;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The WAL comes last: it has the commits that were written into the file while that was copied. */
async function copyBoth(file: string, kept: string, temporary: string): Promise<KeptDatabase> {
  await copyTo(file, kept, temporary);
  const wal = await statOf(`${file}-wal`);
  if (wal === undefined || wal.size === 0) return { file: kept, wal: undefined };
  try {
    await copyTo(`${file}-wal`, `${kept}-wal`, temporary);
    return { file: kept, wal: `${kept}-wal` };
  } catch (error) {
    await fs.rm(kept, { force: true });
    throw error;
  }
}

/**
 * Removes names that a killed restore gave to the file that still has its first name: they are no
 * copies. One with a WAL of its own may have commits that the first name lacks, so it stays.
 */
export async function removeSecondNames(file: string): Promise<void> {
  const [live, wal] = await Promise.all([statOf(file), statOf(`${file}-wal`)]);
  if (live === undefined || live.nlink === 1) return;
  const start = `${path.basename(file)}.before-`;
  for (const name of await fs.readdir(path.dirname(file))) {
    if (!name.startsWith(start) || !KEPT_TIME.test(name.slice(start.length))) continue;
    const second = path.join(path.dirname(file), name);
    if (!isSameFile(await statOf(second), live)) continue;
    const ownWAL = await statOf(`${second}-wal`);
    if (ownWAL !== undefined && !isSameFile(ownWAL, wal)) continue;
    for (const side of ['-wal', '']) await fs.rm(second + side, { force: true });
  }
}

const KEPT_TIME = /^\d{8}T\d{6}Z(?:-\d+)?$/;

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
