/** Folders on the server: created with their parents, and fsynced if the server supports it. */

import { dirname } from 'node:path/posix';

import type { Channel } from './channel.ts';
import { ignoreRefusal, isMissing, STATUS, statusOf } from './errors.ts';

/** Other users may list the folders, but not read the files. */
const FOLDER_MODE = 0o755;

/** Creates a folder and its missing parents. Returns the folders that it created. */
export async function makeFolder(channel: Channel, path: string): Promise<string[]> {
  if ((await channel.stat(path)) !== undefined) return [];
  const parent = dirname(path);
  try {
    return await makeOne(channel, path);
  } catch (error) {
    if (!isMissing(error) || parent === path) throw error;
    const above = await makeFolder(channel, parent);
    // Only one more try: some file systems (/proc) always answer that it does not exist.
    return [...above, ...(await makeOne(channel, path))];
  }
}

async function makeOne(channel: Channel, path: string): Promise<string[]> {
  try {
    await channel.mkdir(path, FOLDER_MODE);
  } catch (error) {
    if ((await channel.stat(path)) !== undefined) return []; // created by another client
    throw error;
  }
  await syncFolderAnd(channel, dirname(path), async () => undefined);
  return [path];
}

/** Another call may empty the folder between the refusal and the listing. */
const REMOVALS_MAX = 5;

/** Returns false if the folder is not empty or is missing. Many servers only answer "failure". */
export async function removeFolder(channel: Channel, path: string): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      await channel.rmdir(path);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      const status = statusOf(error);
      if (status !== STATUS.FAILURE && status !== STATUS.DIR_NOT_EMPTY) throw error;
      if (!(await channel.isEmptyFolder(path))) return false;
      if (attempt === REMOVALS_MAX) throw error;
    }
  }
}

/**
 * Fsyncs a folder, and sends one more request without another round trip. OpenSSH opens and fsyncs a
 * folder like a file; other servers may refuse that.
 */
export async function syncFolderAnd<T>(
  channel: Channel,
  path: string,
  send: () => Promise<T>,
): Promise<T> {
  if (!channel.has('fsync')) return await send();
  const handle = await channel.open(path, 'r', 0).catch(ignoreRefusal);
  if (handle === undefined) return await send();
  const synced = Promise.all([channel.fsync(handle), channel.close(handle)]);
  const [answer] = await Promise.all([send(), synced.catch(ignoreRefusal)]);
  return answer;
}

/** Below this the disk counts as full: file systems reserve some blocks. */
const FREE_BYTES_MIN = 64 * 1024;

/** Whether a plain "failure" was caused by a full disk. */
export async function isFull(channel: Channel, error: unknown, folder: string): Promise<boolean> {
  if (statusOf(error) !== STATUS.FAILURE) return false;
  const freeBytes = await channel.freeBytes(folder).catch(() => undefined);
  return freeBytes !== undefined && freeBytes < FREE_BYTES_MIN;
}
