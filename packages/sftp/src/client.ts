/** One server with one login: the steps on paths, over its channels. */

import {
  folderDestination,
  inTurn,
  LEVEL_MAX,
  type ConnectContext,
  type Destination,
  type FolderPlaceOptions,
  type FolderStore,
  type LTXBody,
} from '@sluice/core/backend';

import { asideOf, mayNeedMending, withAsides } from './asides.ts';
import type { Channel, Entry, Times } from './channel.ts';
import type { SFTPConfig } from './config.ts';
import { Connection } from './connection.ts';
import { isMissing, SSHError, toReplicationError } from './errors.ts';
import { makeFolder, removeFolder } from './folders.ts';
import { mend } from './mend.ts';
import { removeIfThere } from './naming.ts';
import { openPath, versionOf } from './read.ts';
import { placeFile, removeOrphans } from './write.ts';

/** SFTP counts times in seconds. */
const SECOND_MS = 1000;

/** Connects to nothing: what is not right is told by the first call. */
export async function connect(config: SFTPConfig, context: ConnectContext): Promise<Destination> {
  const { host, port, user } = config;
  const address = host.includes(':') ? `[${host}]` : host;
  const name = `sftp://${user}@${address}${port === 22 ? '' : `:${port}`}`;
  const connection = new Connection(name, config, context.logger);
  return folderDestination(name, storeOf(connection, config, context), context);
}

function storeOf(
  connection: Connection,
  { concurrentWrites }: SFTPConfig,
  { access, logger }: ConnectContext,
): FolderStore<Channel, Entry> {
  const pieces = concurrentWrites ? 'many-at-once' : 'one-by-one';
  const place = async (
    channel: Channel,
    path: string,
    body: LTXBody,
    options: FolderPlaceOptions & { readonly times: (nowMs: number) => Times },
  ): Promise<Date> => {
    await removeOrphans(channel, connection);
    return await placeFile(channel, path, body, connection, { ...options, pieces });
  };
  return {
    levelsAtOnce: LEVEL_MAX + 1,
    use: (work) => connection.use(work),
    generation: () => connection.generation,
    async stampOf(channel, path) {
      const found = await channel.stat(path);
      return found === undefined ? found : `${connection.generation}-${versionOf(found)}`;
    },
    async readFolder(channel, path) {
      const entries = await channel.readFolder(path);
      if (entries === undefined) return undefined;
      if (access === 'write' && mayNeedMending(entries)) {
        await mend(channel, path, entries, connection, logger);
      }
      return withAsides(entries);
    },
    // No createdAt: mtime holds it without its milliseconds.
    fileOf: async (_, { accessedMs, sizeBytes }) => ({
      sizeBytes,
      modifiedAt: new Date(accessedMs),
    }),
    objectOf: async (_, entry) => ({
      sizeBytes: entry.sizeBytes,
      modifiedAt: new Date(entry.modifiedMs),
      version: versionOf(entry),
    }),
    open: (path, content) => openPath(connection, path, content),
    makeFolder,
    async placeFile(channel, path, body, options) {
      // Litestream keeps the header's time in mtime; what is left for the upload's is atime.
      const modifiedMs = body.createdAt.getTime();
      const times = (accessedMs: number): Times => ({ accessedMs, modifiedMs });
      const modifiedAt = await place(channel, path, body, { ...options, times });
      return { sizeBytes: body.sizeBytes, modifiedAt };
    },
    async placeObject(channel, path, body, options) {
      const before = await channel.stat(path);
      // A version is told by size and time, so each has a time of its own.
      const times = (nowMs: number): Times => ({
        accessedMs: nowMs,
        modifiedMs: Math.max(nowMs, (before?.modifiedMs ?? 0) + SECOND_MS),
      });
      await place(channel, path, body, { ...options, times });
      const written = await channel.stat(path);
      if (written !== undefined) return { version: versionOf(written) };
      throw new SSHError('REPLICA_CHANGED', 'it was removed as soon as it was there');
    },
    remove: (channel, path) =>
      inTurn(`${connection.name}\0${path}`, async () => {
        // The aside first: alone it would be taken for the file.
        if (!channel.has('posix-rename')) await removeIfThere(channel, asideOf(path));
        if (!(await removeIfThere(channel, path))) await removeIfThere(channel, asideOf(path));
      }),
    removeFolder,
    isMissing,
    describe: toReplicationError,
    stop: () => connection.stopConnecting(),
    close: () => connection.close(),
  };
}
