/** One server with one login. */

import {
  ReplicationError,
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
import { asideOf, mayNeedMending, withAsides } from './asides.ts';
import type { Channel, Entry, Times } from './channel.ts';
import type { SFTPConfig } from './config.ts';
import { Connection } from './connection.ts';
import { isMissing, toReplicationError } from './errors.ts';
import { makeFolder, removeFolder } from './folders.ts';
import { mend } from './mend.ts';
import { removeIfThere } from './naming.ts';
import { openPath, versionOf } from './read.ts';
import { placeFile, removeOrphans } from './write.ts';

/** SFTP counts times in seconds. */
const SECOND_MS = 1000;
/** Files that are removed in one call, some at once. */
const DELETE_KEYS_MAX = 1_000;
/** LTX files have ten levels, each a folder. */
const FOLDERS_AT_ONCE = 10;

/** Connects to nothing: the first call finds what is wrong. */
export async function connect(
  config: SFTPConfig,
  { access, logger }: ConnectContext,
): Promise<ReplicaClient> {
  const { host, port, user } = config;
  const address = host.includes(':') ? `[${host}]` : host;
  const name = `sftp://${user}@${address}${port === 22 ? '' : `:${port}`}`;
  return new SFTPClient(new Connection(name, config, logger), config, access, logger);
}

/** Keys are paths: absolute ones, or relative to the folder in which a login begins. */
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
    if (this.#access === 'write' && mayNeedMending(entries)) {
      await mend(channel, path, entries, this.#connection, this.#logger);
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
    const connection = this.#connection;
    await removeOrphans(channel, connection);
    const times = await timesOf(channel, path, body);
    const pieces = this.#config.concurrentWrites ? 'many-at-once' : 'one-by-one';
    const modifiedAt = await placeFile(channel, path, body, connection, {
      ...options,
      times,
      pieces,
    });
    return { key: path, sizeBytes: body.sizeBytes, modifiedAt };
  }

  async #remove(channel: Channel, path: string): Promise<void> {
    await runExclusively(`${this.name}\0${path}`, async () => {
      // The aside first: alone it would be taken for the file.
      if (!channel.has('posix-rename')) await removeIfThere(channel, asideOf(path));
      if (!(await removeIfThere(channel, path))) await removeIfThere(channel, asideOf(path));
    });
  }
}

/** No createdAt: mtime holds it without its milliseconds. No version: that takes a look into the file. */
function toInfo(key: string, { accessedMs, sizeBytes }: Entry): ObjectInfo {
  return { key, sizeBytes, modifiedAt: new Date(accessedMs) };
}

/** Litestream keeps the header's time of an LTX file in mtime; the time of the upload is then its atime. */
async function timesOf(
  channel: Channel,
  path: string,
  { createdAt }: ObjectBody,
): Promise<(nowMs: number) => Times> {
  if (createdAt !== undefined) {
    return (accessedMs) => ({ accessedMs, modifiedMs: createdAt.getTime() });
  }
  // The version of any other object is told by its time, so each has a time of its own.
  const before = await channel.stat(path);
  return (nowMs) => ({
    accessedMs: nowMs,
    modifiedMs: Math.max(nowMs, (before?.modifiedMs ?? 0) + SECOND_MS),
  });
}

/** No file system replaces one version and no other: two processes would both see theirs. */
function noVersions(what: string): ReplicationError {
  const message = `${what}: a folder knows no conditions on versions, so it cannot hold a lease`;
  return new ReplicationError('REPLICA_UNSUPPORTED', message);
}
