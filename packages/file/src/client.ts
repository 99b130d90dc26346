/** The destination "local folders": the steps on paths, by `node:fs`. */

import { readdir, rmdir, stat, unlink } from 'node:fs/promises';

import {
  findUnmounted,
  folderDestination,
  type ConnectContext,
  type Destination,
  type FolderFileInfo,
  type FolderStore,
} from '@sluice/core/backend';

import type { FileConfig } from './config.ts';
import { isMissing, systemCode, toReplicationError } from './errors.ts';
import { makeFolder } from './folders.ts';
import { openHandle, openLocal, versionOf } from './read.ts';
import { sweep } from './sweep.ts';
import { placeFile } from './write.ts';

/** Connects to nothing: a folder that is not there is found out by the first call. */
export async function connect(_config: FileConfig, context: ConnectContext): Promise<Destination> {
  return folderDestination('file://', storeOf(context), context);
}

function storeOf({ access, logger }: ConnectContext): FolderStore<void> {
  return {
    levelsAtOnce: 1,
    use: (work) => work(),
    stampOf: (_, path) => unlessMissing(async () => versionOf(await stat(path, { bigint: true }))),
    findUnmounted: (path) => findUnmounted(path),
    async readFolder(_, path) {
      let entries;
      try {
        entries = await readdir(path, { withFileTypes: true });
      } catch (error) {
        if (isMissing(error) || systemCode(error) === 'ENOTDIR') return undefined;
        throw error;
      }
      const names = entries.map(({ name }) => name);
      if (access === 'write') await sweep(path, names, logger);
      // Of a link, `stat` says what it is.
      return entries.map((entry) => ({
        name: entry.name,
        kind: entry.isDirectory() ? 'folder' : 'file',
      }));
    },
    fileOf: (path) => unlessMissing(() => fileOf(path)),
    objectOf: (path) =>
      unlessMissing(async () => {
        const stats = await stat(path, { bigint: true });
        if (!stats.isFile()) return undefined;
        const { ctime: modifiedAt, size } = stats;
        return { sizeBytes: Number(size), modifiedAt, version: versionOf(stats) };
      }),
    open: openHandle,
    openLocal,
    makeFolder: (_, path) => makeFolder(path),
    async placeFile(_, path, body, options) {
      await placeFile(path, body, { ...options, times: 'created-at' });
      const info = await fileOf(path);
      if (info === undefined) throw new TypeError(`invariant broken: ${path} is a file`);
      return info;
    },
    async placeObject(_, path, body, options) {
      await placeFile(path, body, { ...options, times: 'as-they-come' });
      return { version: versionOf(await stat(path, { bigint: true })) };
    },
    remove: (_, path) => unlessMissing(() => unlink(path)),
    async removeFolder(_, path) {
      try {
        await rmdir(path);
      } catch (error) {
        if (!STAYS.has(systemCode(error) ?? '')) throw error;
      }
    },
    isMissing,
    describe: toReplicationError,
  };
}

/** What rmdir says of a folder that holds something, of none, and of what is none. */
const STAYS: ReadonlySet<string> = new Set(['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR']);

async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function fileOf(path: string): Promise<FolderFileInfo | undefined> {
  const stats = await stat(path);
  if (!stats.isFile()) return undefined;
  // Litestream keeps the header's time in mtime; what is left for the upload is ctime. A file
  // system counts in other fractions than we do, so the millisecond is the nearest.
  const createdAt = new Date(Math.round(stats.mtimeMs));
  return { sizeBytes: stats.size, modifiedAt: stats.ctime, createdAt };
}
