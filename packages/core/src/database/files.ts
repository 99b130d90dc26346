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

/** Creates a folder and those above it, and makes their names durable. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await fs.mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let at = folder; at.length >= first.length; at = path.dirname(at)) {
    await syncFolder(path.dirname(at));
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
