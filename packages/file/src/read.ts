/** Reading one file: a handle that is opened once, and read by position. */

import type { BigIntStats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import { readFully, type FolderHandle } from '@sluice/core/backend/folder';
import type { LocalFile } from '@sluice/core/backend';

/** One read. Large, because each costs a turn through the thread pool; memory is this a stream. */
const CHUNK_BYTES = 1_048_576;

/** As a file of this process. */
export async function openLocal(path: string): Promise<LocalFile> {
  const handle = await open(path, 'r');
  try {
    const { size: sizeBytes } = await handle.stat();
    return { sizeBytes, descriptor: handle.fd, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

export async function openHandle(path: string): Promise<FolderHandle> {
  const handle = await open(path, 'r');
  try {
    const stats = await handle.stat({ bigint: true });
    return {
      sizeBytes: Number(stats.size),
      modifiedAt: stats.ctime, // set by the file system, whatever `mtime` was set to
      version: versionOf(stats),
      read: (start, end) => readPieces(handle, start, end),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A rename puts another inode in place; one that is used again has another time of birth. */
export function versionOf({ ino, birthtimeNs, mtimeNs, size }: BigIntStats): string {
  return [ino, birthtimeNs, mtimeNs, size].map((part) => part.toString(36)).join('-');
}

async function* readPieces(
  handle: FileHandle,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let offset = start; offset < end;) {
    // A buffer of its own for each: the reader may hold several, or give them to a worker.
    const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, end - offset));
    const count = await readFully(handle, chunk, offset);
    if (count > 0) yield chunk.subarray(0, count);
    if (count < chunk.byteLength) return;
    offset += count;
  }
}
