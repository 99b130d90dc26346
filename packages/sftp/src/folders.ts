/** Folders on the server: made with what is above them, and made durable where that can be. */

import { dirname } from 'node:path/posix';

import type { Channel } from './channel.ts';
import { isMissing, STATUS, statusOf } from './errors.ts';

/** Others may look into the folders; the files in them are the owner's alone. */
const FOLDER_MODE = 0o755;

/** Makes a folder and those above it that are missing; returns those that it made. */
export async function makeFolder(channel: Channel, path: string): Promise<string[]> {
  if ((await channel.stat(path)) !== undefined) return [];
  const parent = dirname(path);
  try {
    return await makeOne(channel, path);
  } catch (error) {
    if (!isMissing(error) || parent === path) throw error;
    const above = await makeFolder(channel, parent);
    // Once: some file systems (/proc) answer so for folders that nobody may ever make.
    return [...above, ...(await makeOne(channel, path))];
  }
}

async function makeOne(channel: Channel, path: string): Promise<string[]> {
  try {
    await channel.mkdir(path, FOLDER_MODE);
  } catch (error) {
    if ((await channel.stat(path)) !== undefined) return []; // made by another at the same time
    throw error;
  }
  await syncFolder(channel, dirname(path));
  return [path];
}

/** Another call may empty a folder between a refusal and the look at it. */
const REMOVALS_MAX = 5;

/** False if the folder holds anything, or is gone. Many servers say no more than that it failed. */
export async function removeFolder(channel: Channel, path: string): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      await channel.rmdir(path);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      const status = statusOf(error);
      if (status !== STATUS.FAILURE && status !== STATUS.DIR_NOT_EMPTY) throw error;
      const entries = await channel.readFolder(path);
      if (entries === undefined || entries.length > 0) return false;
      if (attempt === REMOVALS_MAX) throw error;
    }
  }
}

/** OpenSSH opens and fsyncs a folder like a file; who refuses that keeps names in its own way. */
async function syncFolder(channel: Channel, path: string): Promise<void> {
  await syncFolderAnd(channel, path, async () => undefined);
}

/** The same, with a request more that is sent behind it, and waits for no round trip of its own. */
export async function syncFolderAnd<T>(
  channel: Channel,
  path: string,
  ask: () => Promise<T>,
): Promise<T> {
  if (!channel.has('fsync')) return await ask();
  const handle = await channel.open(path, 'r', 0).catch(unlessRefused);
  if (handle === undefined) return await ask();
  const synced = Promise.all([channel.fsync(handle), channel.close(handle)]);
  const [answer] = await Promise.all([ask(), synced.catch(unlessRefused)]);
  return answer;
}

function unlessRefused(error: unknown): undefined {
  if (statusOf(error) === undefined) throw error;
}

/** Less than this is nothing: a file system keeps some blocks to itself. */
const FREE_BYTES_MIN = 64 * 1024;

/** Whether the server has said no more than "failure" because its disk is full. */
export async function isFull(channel: Channel, error: unknown, folder: string): Promise<boolean> {
  if (statusOf(error) !== STATUS.FAILURE) return false;
  const freeBytes = await channel.freeBytes(folder).catch(() => undefined);
  return freeBytes !== undefined && freeBytes < FREE_BYTES_MIN;
}
