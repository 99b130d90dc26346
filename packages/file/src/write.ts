/**
 * How a file appears: written beside its name, fsynced, renamed, and the folder fsynced. So a name
 * holds a whole file, or what it held before, whatever happens. `if-absent` links instead of
 * renaming, because link(2) fails where a name is taken and rename(2) does not.
 */

import { link, lstat, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { ReplicationError, type ObjectBody } from '@sluice/core/backend';
import {
  writeFully,
  runExclusively,
  readSource,
  temporaryPath,
  type PlaceOptions,
} from '@sluice/core/backend/folder';

import { systemCode } from './errors.ts';
import { syncFolder } from './folders.ts';

/** Backups hold what the database holds: nobody else's to read unless its owner says so. */
const FILE_MODE = 0o600;

/**
 * Puts a body at `path`. Throws what `node:fs` throws, what the source throws (as the cause of a
 * SourceError), or REPLICA_CONFLICT. The folder must be there.
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
      await writeBody(handle, body, options);
    } finally {
      await handle.close();
    }
    check(options);
    await giveName(temp, path, options.condition);
  } catch (error) {
    await unlink(temp).catch(() => undefined); // it may have its name already; else a sweep has it
    throw error;
  }
  await syncFolder(dirname(path));
}

async function writeBody(
  handle: FileHandle,
  body: ObjectBody,
  options: PlaceOptions,
): Promise<void> {
  for await (const chunk of readSource(body, options.signals)) await writeFully(handle, chunk);
  if (body.createdAt !== undefined) await handle.utimes(body.createdAt, body.createdAt);
  check(options);
  await handle.sync();
}

function check({ signals }: PlaceOptions): void {
  for (const signal of signals) signal?.throwIfAborted();
}

async function giveName(
  temp: string,
  path: string,
  condition: PlaceOptions['condition'],
): Promise<void> {
  if (condition === undefined) {
    await rename(temp, path);
    return;
  }
  try {
    await link(temp, path);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw conflict(path);
    if (!LINKLESS.has(systemCode(error) ?? '')) throw error;
    await renameIfAbsent(temp, path);
    return;
  }
  await unlink(temp);
}

/** File systems without hard links (exFAT, some network shares) answer with one of these. */
const LINKLESS: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
]);

/**
 * Without links the question and the rename are two steps. Within this process they are one, by
 * turns; another process may come between, as Litestream always may, which does not ask at all.
 */
async function renameIfAbsent(temp: string, path: string): Promise<void> {
  await runExclusively(path, async () => {
    if (await exists(path)) throw conflict(path);
    await rename(temp, path);
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function conflict(path: string): ReplicationError {
  return new ReplicationError('REPLICA_CONFLICT', `${path} is there already`);
}
