/** Files that are there whole or not at all: written beside, fsynced, renamed, the folder fsynced. */

import fs from 'node:fs/promises';
import path from 'node:path';
import { writeFully } from '../file-io.ts';

/** Makes the names in `folder` durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Creates a folder and those above it, and makes their names durable. One by one: of what /proc lets nobody
 * make, Node's own recursion never ends.
 */
export async function makeFolder(folder: string): Promise<void> {
  const parent = path.dirname(folder);
  try {
    await makeOne(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === folder) throw error;
    await makeFolder(parent);
    await makeOne(folder);
  }
}

async function makeOne(folder: string): Promise<void> {
  try {
    await fs.mkdir(folder);
  } catch (error) {
    if (await isFolder(folder)) return; // a read-only file system says EROFS of it, not EEXIST
    throw error;
  }
  await syncFolder(path.dirname(folder));
}

async function isFolder(at: string): Promise<boolean> {
  try {
    return (await fs.stat(at)).isDirectory();
  } catch {
    return false; // then what mkdir said is what counts
  }
}

/** Replaces `file` by `text`, durably. */
export async function writeDurably(file: string, text: string): Promise<void> {
  const temporary = `${file}.tmp`;
  const handle = await fs.open(temporary, 'w', 0o600);
  try {
    await writeFully(handle, Buffer.from(text));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fs.rename(temporary, file);
  await syncFolder(path.dirname(file));
}

/** Replaces `file` by `text`. After a power loss it may hold the old text, the new one, or nothing. */
export async function replaceText(file: string, text: string): Promise<void> {
  const temporary = `${file}.new`;
  const handle = await fs.open(temporary, 'w');
  try {
    await writeFully(handle, Buffer.from(text));
  } finally {
    await handle.close();
  }
  await fs.rename(temporary, file);
}

/** Text of a small file of ours, or undefined where there is none. */
export async function readText(file: string): Promise<string | undefined> {
  try {
    return await fs.readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
