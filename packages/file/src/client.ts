/** Replicas in local folders, including mounted disks. Keys are paths. */

import { readdir, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

import type {
  CallOptions,
  Capabilities,
  ConnectContext,
  DeleteOptions,
  GetOptions,
  ListOptions,
  LocalFile,
  Logger,
  ObjectBody,
  ObjectInfo,
  OpenedObject,
  PutOptions,
  ReplicaClient,
} from '@sluice/core/backend';
import { ReplicationError } from '@sluice/core/backend';
import { findUnmounted, FolderGuard, type FolderEntry } from '@sluice/core/backend/folder';
import type { FileConfig } from './config.ts';
import { isMissing, systemCode, toReplicationError, unlessMissing } from './errors.ts';
import { makeFolder, openHandle, openLocal, placeFile, sweep, versionOf } from './files.ts';

/** Maximum number of files that one call deletes. */
const DELETE_KEYS_MAX = 1_000;

/** Does not touch the disk: a missing folder is found by the first call. */
export async function connect(
  _config: FileConfig,
  { access, logger }: ConnectContext,
): Promise<ReplicaClient> {
  return new FileClient(access, logger);
}

class FileClient implements ReplicaClient {
  readonly name = 'file://';
  readonly capabilities: Capabilities = {
    ranges: true,
    conditions: 'any-size',
    deleteMax: DELETE_KEYS_MAX,
    sortedLists: true,
    folders: true,
  };
  readonly #guard: FolderGuard<FolderEntry>;
  readonly #access: ConnectContext['access'];
  readonly #logger: Logger;

  constructor(access: ConnectContext['access'], logger: Logger) {
    this.#access = access;
    this.#logger = logger;
    this.#guard = new FolderGuard(this.name, access, {
      foldersAtOnce: 1,
      readFolder: (path) => this.#readFolder(path),
      infoOf: (path) => unlessMissing(infoOf(path)),
      stampOf: (path) => unlessMissing(stat(path, { bigint: true }).then(versionOf)),
      open: openHandle,
      async place(path, body, options) {
        await placeFile(path, body, options);
        const info = await infoOf(path);
        if (info === undefined) throw new TypeError(`invariant broken: ${path} is a file`);
        return info;
      },
      async remove(path) {
        await unlessMissing(unlink(path));
      },
      makeFolder,
      removeFolder,
      findUnmounted,
      isMissing,
      toError: toReplicationError,
    });
  }

  list(prefix: string, { startAfter, ...options }: ListOptions = {}): AsyncIterable<ObjectInfo> {
    const what = `list ${this.name}${prefix}*`;
    return this.#guard.list({ ...options, what }, { prefix, startAfter });
  }

  async get(key: string, { range, version, ...options }: GetOptions = {}): Promise<OpenedObject> {
    const what = `open ${this.name}${key}`;
    return await this.#guard.get({ ...options, what }, key, { range, version });
  }

  async put(
    key: string,
    body: ObjectBody,
    { condition, ...options }: PutOptions = {},
  ): Promise<ObjectInfo> {
    const what = `write ${this.name}${key}`;
    if (typeof condition === 'object') throw noVersions(what);
    return await this.#guard.put({ ...options, what }, key, body, condition);
  }

  async delete(
    keys: readonly string[],
    { version, ...options }: DeleteOptions = {},
  ): Promise<void> {
    const [first = ''] = keys;
    const all = `${keys.length} files at ${this.name}${dirname(first)}`;
    const what = `delete ${keys.length === 1 ? `${this.name}${first}` : all}`;
    if (version !== undefined) throw noVersions(what);
    await this.#guard.delete({ ...options, what }, keys);
  }

  async openLocal(key: string, options: CallOptions = {}): Promise<LocalFile> {
    const what = `open ${this.name}${key}`;
    return await this.#guard.run({ ...options, what }, async () => {
      const local = await openLocal(key);
      try {
        this.#guard.check(options.signal); // after an abort, the caller would not close it
      } catch (error) {
        await local.close();
        throw error;
      }
      return local;
    });
  }

  async close(): Promise<void> {
    await this.#guard.close();
  }

  async #readFolder(path: string): Promise<readonly FolderEntry[] | undefined> {
    let entries;
    try {
      entries = await readdir(path, { withFileTypes: true });
    } catch (error) {
      if (isMissing(error) || systemCode(error) === 'ENOTDIR') return undefined;
      throw error;
    }
    const names = entries.map(({ name }) => name);
    if (this.#access === 'write') await sweep(path, names, this.#logger);
    // Links count as files here; `infoOf` follows them.
    return entries.map((entry) => ({
      name: entry.name,
      kind: entry.isDirectory() ? 'folder' : 'file',
    }));
  }
}

/** No file system replaces a file only if it has a certain version: two processes could both succeed. */
function noVersions(what: string): ReplicationError {
  const message = `${what}: a folder has no conditions on versions, so it cannot hold a lease`;
  return new ReplicationError('REPLICA_UNSUPPORTED', message);
}

async function removeFolder(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    if (NOT_REMOVED.has(systemCode(error) ?? '')) return false;
    throw error;
  }
}

/** Codes of rmdir if the folder is not empty, is missing, or is not a folder. */
const NOT_REMOVED: ReadonlySet<string> = new Set(['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR']);

async function infoOf(key: string): Promise<ObjectInfo | undefined> {
  const stats = await stat(key, { bigint: true });
  if (!stats.isFile()) return undefined;
  // Litestream stores the header's time in mtime; the time of the upload is ctime. File systems store
  // other fractions of a second than we do, so mtime is rounded to the nearest millisecond.
  const createdAt = new Date(Math.round(Number(stats.mtimeNs) / 1e6));
  const sizeBytes = Number(stats.size);
  return { key, sizeBytes, modifiedAt: stats.ctime, version: versionOf(stats), createdAt };
}
