/**
 * Files and folders on disk. A file is written under a temporary name in the same folder, fsynced and
 * renamed, and the folder is fsynced: after a crash its name holds the complete old file or the
 * complete new one. `if-absent` uses link(2), which fails if the name exists; rename(2) does not.
 */

import type { BigIntStats } from 'node:fs';
import { link, lstat, mkdir, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import {
  ReplicationError,
  type LocalFile,
  type Logger,
  type ObjectBody,
} from '@sluice/core/backend';
import {
  runExclusively,
  isLeftover,
  readFully,
  readSource,
  TEMP_SUFFIX,
  temporaryPath,
  writeFully,
  type FolderHandle,
  type PlaceOptions,
} from '@sluice/core/backend/folder';

import { systemCode, unlessMissing } from './errors.ts';

/** A backup holds the data of the database: only its owner may read it. */
const FILE_MODE = 0o600;
/** Other users may list the folders, but not read the files. */
const FOLDER_MODE = 0o755;
/** Bytes per read. Large, because each read is a trip through the thread pool; one buffer per stream. */
const CHUNK_BYTES = 1_048_576;

/**
 * Writes a body to `path`. Throws errors of `node:fs`, REPLICA_CONFLICT, or a SourceError if the
 * source fails. The folder must exist.
 */
export async function placeFile(
  path: string,
  body: ObjectBody,
  options: PlaceOptions,
): Promise<void> {
  const temp = temporaryPath(path);
  const handle = await open(temp, 'wx', FILE_MODE);
  try {
    try {
      for await (const chunk of readSource(body, options.signals)) await writeFully(handle, chunk);
      if (body.createdAt !== undefined) await handle.utimes(body.createdAt, body.createdAt);
      throwIfAborted(options);
      await handle.sync();
    } finally {
      await handle.close();
    }
    throwIfAborted(options);
    await (options.condition === undefined ? rename(temp, path) : linkIfAbsent(temp, path));
  } catch (error) {
    await unlink(temp).catch(() => undefined); // already renamed, or left for the sweep
    throw error;
  }
  await syncFolder(dirname(path));
}

function throwIfAborted({ signals }: PlaceOptions): void {
  for (const signal of signals) signal?.throwIfAborted();
}

/** File systems without hard links (exFAT, some network shares) return one of these. */
const LINKLESS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

async function linkIfAbsent(temp: string, path: string): Promise<void> {
  try {
    await link(temp, path);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw conflict(path);
    if (!LINKLESS.has(systemCode(error) ?? '')) throw error;
    // Without links, check and rename are two steps. `runExclusively` makes them one within this process;
    // another process may come between them.
    return await runExclusively(path, async () => {
      if ((await unlessMissing(lstat(path))) !== undefined) throw conflict(path);
      await rename(temp, path);
    });
  }
  await unlink(temp);
}

function conflict(path: string): ReplicationError {
  return new ReplicationError('REPLICA_CONFLICT', `${path} already exists`);
}

/** Opens a file for a reader in this process. */
export async function openLocal(path: string): Promise<LocalFile> {
  return await openFile(path, async (handle) => {
    const { size: sizeBytes } = await handle.stat();
    return { sizeBytes, descriptor: handle.fd, close: () => handle.close() };
  });
}

export async function openHandle(path: string): Promise<FolderHandle> {
  return await openFile(path, async (handle) => {
    const stats = await handle.stat({ bigint: true });
    return {
      sizeBytes: Number(stats.size),
      modifiedAt: stats.ctime, // set by the file system; mtime is the transaction's time
      version: versionOf(stats),
      read: (start, end) => readChunks(handle, start, end),
      close: () => handle.close(),
    };
  });
}

async function openFile<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path, 'r');
  try {
    return await use(handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A rename changes the inode; a reused inode has a new birth time. */
export function versionOf({ ino, birthtimeNs, mtimeNs, size }: BigIntStats): string {
  return [ino, birthtimeNs, mtimeNs, size].map((part) => part.toString(36)).join('-');
}

async function* readChunks(
  handle: FileHandle,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let offset = start; offset < end;) {
    // A new buffer each time: the reader may keep several, or transfer them to a worker.
    const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, end - offset));
    const count = await readFully(handle, chunk, offset);
    if (count > 0) yield chunk.subarray(0, count);
    if (count < chunk.byteLength) return;
    offset += count;
  }
}

/**
 * Creates a folder and its missing parents, makes their names durable, and returns the folders it
 * created. A folder that exists is fsynced too: a process may have died between mkdir and fsync.
 */
export async function makeFolder(path: string): Promise<string[]> {
  const parent = dirname(path);
  try {
    return await makeOne(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || parent === path) throw error;
    const above = await makeFolder(parent);
    // Only one more try: /proc always returns ENOENT.
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

/** A parent that we may enter but not read is not ours and existed before. */
function ignoreUnreadable(error: unknown): void {
  if (systemCode(error) !== 'EACCES') throw error;
}

/** File systems that cannot fsync a folder (some network shares) return one of these. */
const SYNCLESS = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** Makes the names in a folder durable. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    if (!SYNCLESS.has(systemCode(error) ?? '')) throw error;
  } finally {
    await folder.close();
  }
}

/** Removes our temporary files that are older than a day, left by a killed process. Never throws. */
export async function sweep(
  folder: string,
  names: readonly string[],
  logger: Logger,
): Promise<void> {
  for (const name of names) {
    if (!name.endsWith(TEMP_SUFFIX)) continue;
    const path = join(folder, name);
    try {
      // Not mtime, which is the transaction's time.
      const { ctimeMs } = await lstat(path);
      if (!isLeftover(name, ctimeMs, Date.now())) continue;
      await unlink(path);
      logger.info('removed a temporary file of an interrupted write', { path });
    } catch (error) {
      if (systemCode(error) === 'ENOENT') continue; // its writer has renamed or removed it
      logger.warn('cannot remove a temporary file of an interrupted write', { path, error });
    }
  }
}
