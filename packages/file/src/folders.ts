/** Folders that survive a power cut: each new name is made durable in the folder that holds it. */

import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

import { systemCode } from './errors.ts';

/** Others may look into the folders; the files in them are the owner's alone. */
const FOLDER_MODE = 0o755;

/**
 * Makes a folder and those above it that are missing; returns those that it made. One that is there already
 * may be the work of a process that died before it was durable, so its name is fsynced too.
 */
export async function makeFolder(path: string): Promise<string[]> {
  const parent = dirname(path);
  try {
    return await makeOne(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || parent === path) throw error;
    const above = await makeFolder(parent);
    // Once: some file systems (/proc) answer so for folders that nobody may ever make.
    return [...above, ...(await makeOne(path))];
  }
}

async function makeOne(path: string): Promise<string[]> {
  try {
    await mkdir(path, FOLDER_MODE);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    await syncFolder(dirname(path)).catch(ignoreUnreadable);
    return [];
  }
  await syncFolder(dirname(path));
  return [path];
}

/** A parent that we may pass through and not read is not ours, and older than us. */
function ignoreUnreadable(error: unknown): void {
  if (systemCode(error) !== 'EACCES') throw error;
}

/** File systems that cannot fsync a folder (some network shares) answer with one of these. */
const SYNCLESS: ReadonlySet<string> = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    if (!SYNCLESS.has(systemCode(error) ?? '')) throw error;
  } finally {
    await folder.close();
  }
}
