/** One SFTP server with one login. Keys are paths: absolute, or relative to the login folder. */

import {
  ReplicationError,
  type CallOptions,
  type Capabilities,
  type ConnectContext,
  type DeleteOptions,
  type GetOptions,
  type ListOptions,
  type Logger,
  type ObjectBody,
  type ObjectInfo,
  type OpenedObject,
  type PutOptions,
  type ReplicaClient,
} from '@sluice/core/backend';
import { FolderGuard, runExclusively, type PlaceOptions } from '@sluice/core/backend/folder';
import { asidePath, hasLeftovers, repair, withAsides } from './asides.ts';
import type { Channel, Entry, Times } from './channel.ts';
import type { SFTPConfig } from './config.ts';
import { Connection } from './connection.ts';
import { CopyOf, openSource } from './copy.ts';
import { isMissing, removeIfExists, toReplicationError } from './errors.ts';
import { makeFolder, removeFolder } from './folders.ts';
import { openPath, versionOf } from './read.ts';
import { placeFile, removeOrphans } from './write.ts';

/** SFTP has whole seconds. */
const SECOND_MS = 1000;
/** Maximum number of files that one call deletes. */
const DELETE_KEYS_MAX = 1_000;
/** LTX files have ten levels, each in its own folder. */
const FOLDERS_AT_ONCE = 10;

/** Sends nothing: errors come with the first call. */
export async function connect(
  config: SFTPConfig,
  { access, logger }: ConnectContext,
): Promise<ReplicaClient> {
  const { host, port, user } = config;
  const address = host.includes(':') ? `[${host}]` : host;
  const name = `sftp://${user}@${address}${port === 22 ? '' : `:${port}`}`;
  return new SFTPClient(new Connection(name, config, logger), config, access, logger);
}

class SFTPClient implements ReplicaClient {
  readonly name: string;
  readonly capabilities: Capabilities = {
    ranges: true,
    conditions: 'any-size',
    deleteMax: DELETE_KEYS_MAX,
    sortedLists: true,
    folders: true,
  };
  readonly #connection: Connection;
  readonly #config: SFTPConfig;
  readonly #access: ConnectContext['access'];
  readonly #logger: Logger;
  readonly #guard: FolderGuard<Entry>;

  constructor(
    connection: Connection,
    config: SFTPConfig,
    access: ConnectContext['access'],
    logger: Logger,
  ) {
    this.name = connection.name;
    this.#connection = connection;
    this.#config = config;
    this.#access = access;
    this.#logger = logger;
    this.#guard = new FolderGuard(this.name, access, {
      foldersAtOnce: FOLDERS_AT_ONCE,
      readFolder: (path) => connection.use((channel) => this.#readFolder(channel, path)),
      infoOf: async (key, entry) => (entry.kind === 'file' ? toInfo(key, entry) : undefined),
      stampOf: (path) => connection.use((channel) => this.#stampOf(channel, path)),
      open: (path) => openPath(connection, path),
      place: (path, body, options) =>
        connection.use((channel) => this.#place(channel, path, body, options)),
      remove: (path) => connection.use((channel) => this.#remove(channel, path)),
      makeFolder: (path) => connection.use((channel) => makeFolder(channel, path)),
      removeFolder: (path) => connection.use((channel) => removeFolder(channel, path)),
      connection: () => connection.generation,
      isMissing,
      toError: toReplicationError,
    });
  }

  list(prefix: string, { startAfter, ...options }: ListOptions = {}): AsyncIterable<ObjectInfo> {
    const what = `list ${prefix}* at ${this.name}`;
    return this.#guard.list({ ...options, what }, { prefix, startAfter });
  }

  async get(key: string, { range, version, ...options }: GetOptions = {}): Promise<OpenedObject> {
    const what = `open ${key} at ${this.name}`;
    return await this.#guard.get({ ...options, what }, key, { range, version });
  }

  async put(
    key: string,
    body: ObjectBody,
    { condition, ...options }: PutOptions = {},
  ): Promise<ObjectInfo> {
    const what = `write ${key} to ${this.name}`;
    if (typeof condition === 'object') throw noVersions(what);
    return await this.#guard.put({ ...options, what }, key, body, condition);
  }

  /** REPLICA_UNSUPPORTED if the server has no copy-data. */
  async copy(from: string, to: string, options: CallOptions = {}): Promise<ObjectInfo> {
    const what = `copy ${from} to ${to} at ${this.name}`;
    return await this.#guard.put({ ...options, what }, to, new CopyOf(from), undefined);
  }

  async delete(
    keys: readonly string[],
    { version, ...options }: DeleteOptions = {},
  ): Promise<void> {
    const what = `delete ${keys.length === 1 ? keys[0] : `${keys.length} files`} at ${this.name}`;
    if (version !== undefined) throw noVersions(what);
    await this.#guard.delete({ ...options, what }, keys);
  }

  async close(): Promise<void> {
    this.#connection.stopConnecting();
    await this.#guard.close();
    await this.#connection.close();
  }

  async #readFolder(channel: Channel, path: string): Promise<readonly Entry[] | undefined> {
    const entries = await channel.readFolder(path);
    if (entries === undefined) return undefined;
    if (this.#access === 'write' && hasLeftovers(entries)) {
      await repair(channel, path, entries, this.#connection, this.#logger);
    }
    return withAsides(entries);
  }

  async #stampOf(channel: Channel, path: string): Promise<string | undefined> {
    const found = await channel.stat(path);
    return found && `${this.#connection.generation}-${versionOf(found)}`;
  }

  async #place(
    channel: Channel,
    path: string,
    body: ObjectBody,
    options: PlaceOptions,
  ): Promise<ObjectInfo> {
    if (!(body instanceof CopyOf)) return await this.#placeBody(channel, path, body, options);
    const source = await openSource(channel, body.path);
    try {
      const fill = (handle: Buffer): Promise<void> => source.copyTo(handle, options.signals);
      return await this.#placeBody(channel, path, source, { ...options, fill });
    } finally {
      await source.close();
    }
  }

  async #placeBody(
    channel: Channel,
    path: string,
    body: ObjectBody,
    options: PlaceOptions & { readonly fill?: (handle: Buffer) => Promise<void> },
  ): Promise<ObjectInfo> {
    const connection = this.#connection;
    await removeOrphans(channel, connection);
    const times = await timesOf(channel, path, body);
    const isConcurrent = this.#config.concurrentWrites;
    const placing = { ...options, times, isConcurrent };
    const modifiedAt = await placeFile(channel, path, body, connection, placing);
    return { key: path, sizeBytes: body.sizeBytes, modifiedAt };
  }

  async #remove(channel: Channel, path: string): Promise<void> {
    await runExclusively(`${this.name}\0${path}`, async () => {
      // The aside file first: without the file, readers would read it.
      if (!channel.has('posix-rename')) await removeIfExists(channel, asidePath(path));
      if (!(await removeIfExists(channel, path))) await removeIfExists(channel, asidePath(path));
    });
  }
}

/**
 * Without createdAt, because mtime has no milliseconds. Without version, because that requires reading the file.
 * Reading a file may change its atime, so only LTX files, whose mtime has another meaning, use it.
 */
function toInfo(key: string, { accessedMs, modifiedMs, sizeBytes }: Entry): ObjectInfo {
  const modifiedAt = new Date(key.endsWith('.ltx') ? accessedMs : modifiedMs);
  return { key, sizeBytes, modifiedAt };
}

/** The mtime of an LTX file is its header's time, as in Litestream; its atime is the time of the upload. */
async function timesOf(
  channel: Channel,
  path: string,
  { createdAt }: ObjectBody,
): Promise<(nowMs: number) => Times> {
  if (createdAt !== undefined) {
    return (accessedMs) => ({ accessedMs, modifiedMs: createdAt.getTime() });
  }
  // The version of any other object contains its mtime, so each write must change it.
  const before = await channel.stat(path);
  return (nowMs) => ({
    accessedMs: nowMs,
    modifiedMs: Math.max(nowMs, (before?.modifiedMs ?? 0) + SECOND_MS),
  });
}

/** No file system replaces a file only if it has a certain version: two processes could both succeed. */
function noVersions(what: string): ReplicationError {
  const message = `${what}: a folder has no conditions on versions, so it cannot hold a lease`;
  return new ReplicationError('REPLICA_UNSUPPORTED', message);
}
