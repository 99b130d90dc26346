/** One root on the server, for its LTX files and its named objects alike. */

import { dirname, join } from 'node:path/posix';

import {
  bodyFromBytes,
  isError,
  MARKER_NAME,
  readBytes,
  Root,
  SourceError,
  temporaryPath,
  type ConnectContext,
  type LTXBody,
  type Tasks,
} from '@sluice/core/backend';

import { asideOf, mayNeedMending, planMending, withAsides } from './asides.ts';
import type { Channel, Entry } from './channel.ts';
import type { Connection } from './connection.ts';
import { isMissing, toReplicationError } from './errors.ts';
import { makeFolder } from './folders.ts';
import { removeIfThere } from './naming.ts';
import {
  openHandle,
  readPieces,
  type OpenedPath,
  type ReadOptions,
  type VersionOf,
} from './read.ts';
import { inTurn } from './turns.ts';
import { placeFile, removeOrphans, writeBytesIfAbsent, type PlaceOptions } from './write.ts';

/** A marker holds a random id. */
const MARKER_BYTES_MAX = 1024;

export interface Shared {
  readonly connection: Connection;
  readonly tasks: Tasks;
  readonly context: ConnectContext;
  readonly pieces: PlaceOptions['pieces'];
}

export class Place {
  readonly root: Root;
  readonly tasks: Tasks;
  readonly #shared: Shared;
  /** Folders that we have made or found, and whether the root is ours, over this connection. */
  readonly #folders = new Set<string>();
  #lookedOver = 0;
  #preparedOver = 0;

  constructor(path: string, shared: Shared) {
    this.root = rootAt(path, shared);
    this.tasks = shared.tasks;
    this.#shared = shared;
  }

  /** Runs `work` with a channel; its errors get a code, and a missing file the reason that it has. */
  async run<T>(
    signal: AbortSignal | undefined,
    what: string,
    work: (channel: Channel) => Promise<T>,
  ): Promise<T> {
    const { connection, tasks } = this.#shared;
    return await tasks.run(signal, async () => {
      try {
        return await connection.use(work);
      } catch (error) {
        // A file that is missing because its disk is says so.
        if (isMissing(error)) await this.root.look(what);
        throw named(error, what);
      }
    });
  }

  /** Whether there is a root to look into. Asked once over each connection, and when a level is missing. */
  async look(
    signal: AbortSignal | undefined,
    what: string,
    when: 'once' | 'again',
  ): Promise<'there' | 'not-yet'> {
    const { generation } = this.#shared.connection;
    if (when === 'once' && this.#lookedOver === generation && generation > 0) return 'there';
    const found = await this.tasks.run(signal, () => this.root.look(what));
    this.#lookedOver = found === 'there' ? this.#shared.connection.generation : 0;
    return found;
  }

  /** What lies in a folder, mended if we may; undefined where there is none. */
  async readFolder(channel: Channel, path: string): Promise<readonly Entry[] | undefined> {
    const entries = await channel.readFolder(path);
    if (entries === undefined) return undefined;
    const isOurs = this.#shared.context.access === 'write' && mayNeedMending(entries);
    if (isOurs) await this.#mend(channel, path, entries);
    return withAsides(entries);
  }

  async open(
    path: string,
    what: string,
    versionOf: VersionOf,
    options: ReadOptions,
  ): Promise<OpenedPath> {
    const { connection, tasks } = this.#shared;
    return await tasks.run(options.signal, async () => {
      try {
        const channel = await connection.take();
        let isTaken = true;
        const release = (): void => {
          if (isTaken) channel.load -= 1;
          isTaken = false;
        };
        try {
          const handle = await openOrAside(channel, path);
          const reading = { ...options, what, tasks, release };
          return await openHandle(channel, handle, versionOf, reading);
        } catch (error) {
          release();
          throw error;
        }
      } catch (error) {
        if (isMissing(error)) await this.root.look(what);
        throw named(error, what);
      }
    });
  }

  /** Whole or not at all; returns when that was, by the server. */
  async write(
    path: string,
    what: string,
    body: LTXBody,
    options: Omit<PlaceOptions, 'pieces' | 'signals'> & {
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<Date> {
    const { connection, tasks, pieces } = this.#shared;
    const { signal } = options;
    this.root.checkWritable(what);
    const place = async (channel: Channel): Promise<Date> => {
      await removeOrphans(channel, connection);
      await this.#prepare(dirname(path), what);
      await this.#ensureFolder(channel, dirname(path));
      tasks.check(signal);
      const signals = [signal, tasks.closing];
      return await placeFile(channel, path, body, connection, { ...options, pieces, signals });
    };
    return await this.run(signal, what, async (channel) => {
      try {
        return await place(channel);
      } catch (error) {
        // A level that we had found was removed behind our back, if the root is still there.
        if (!isMissing(error) || !this.#folders.delete(dirname(path))) throw error;
        return await place(channel);
      }
    });
  }

  /** A file already gone is no failure. */
  async remove(channel: Channel, path: string): Promise<void> {
    await inTurn(this.#turnOf(path), async () => {
      // The aside first: alone it would be taken for the file.
      if (!channel.has('posix-rename')) await removeIfThere(channel, asideOf(path));
      try {
        await channel.unlink(path);
      } catch (error) {
        if (!isMissing(error)) throw error;
        await removeIfThere(channel, asideOf(path));
      }
    });
  }

  /** Before anything is made: whether the root is ours. Once over each connection, and for each folder. */
  async #prepare(folder: string, what: string): Promise<void> {
    const isKnown = this.#preparedOver === this.#shared.connection.generation;
    if (isKnown && this.#folders.has(folder)) return;
    await this.root.prepare(what);
    this.#preparedOver = this.#shared.connection.generation;
  }

  async #ensureFolder(channel: Channel, folder: string): Promise<void> {
    if (this.#folders.has(folder)) return;
    await makeFolder(channel, folder);
    this.#folders.add(folder);
  }

  /** Rule 8. Never fails a listing, unless the connection is lost. */
  async #mend(channel: Channel, folder: string, entries: readonly Entry[]): Promise<void> {
    const { logger } = this.#shared.context;
    try {
      const { remove, moveBack } = planMending(entries, await this.#serverNow(channel, folder));
      for (const name of remove) {
        await removeIfThere(channel, join(folder, name));
        logger.info('removed what an interrupted write has left', { path: join(folder, name) });
      }
      for (const { from, to } of moveBack) await this.#moveBack(channel, folder, from, to);
    } catch (error) {
      logger.warn('cannot mend what an interrupted write has left', { path: folder, error });
    }
  }

  async #moveBack(channel: Channel, folder: string, from: string, to: string): Promise<void> {
    const path = join(folder, to);
    await inTurn(this.#turnOf(path), async () => {
      if ((await channel.stat(path)) !== undefined) return; // written meanwhile
      await channel.rename(join(folder, from), path);
      this.#shared.context.logger.info('moved a file back to its name', { path });
    });
  }

  /** The server's clock: the time that it gives to a new file. */
  async #serverNow(channel: Channel, folder: string): Promise<number> {
    const { connection } = this.#shared;
    if (connection.clockOffsetMs === undefined) {
      const probe = temporaryPath(join(folder, '.sluice-clock'));
      const handle = await channel.open(probe, 'wx', 0o600);
      const [{ modifiedMs }] = await Promise.all([
        channel.fstat(handle),
        channel.close(handle),
        channel.unlink(probe),
      ]);
      connection.clockOffsetMs = modifiedMs - Date.now();
    }
    return Date.now() + connection.clockOffsetMs;
  }

  #turnOf(path: string): string {
    return `${this.#shared.connection.name}\0${path}`;
  }
}

/** A file, or what was moved aside from it and not replaced. */
async function openOrAside(channel: Channel, path: string): Promise<Buffer> {
  try {
    return await channel.open(path, 'r', 0);
  } catch (error) {
    if (!isMissing(error)) throw error;
    try {
      return await channel.open(asideOf(path), 'r', 0);
    } catch (second) {
      if (!isMissing(second)) throw second;
      // Between the two questions it may have got its name.
      return await channel.open(path, 'r', 0);
    }
  }
}

function named(error: unknown, what: string): unknown {
  if (error instanceof SourceError) return error.cause;
  return isError(error) ? error : toReplicationError(error, what);
}

function rootAt(path: string, { connection, context }: Shared): Root {
  const marker = join(path, MARKER_NAME);
  return new Root(path, context.access, {
    readMarker: (known) =>
      connection.use(async (channel) => {
        const found = await channel.stat(marker);
        if (found === undefined) return undefined;
        const stamp = `${connection.generation}-${found.sizeBytes}-${found.modifiedMs}`;
        if (known?.stamp === stamp) return known;
        const handle = await channel.open(marker, 'r', 0);
        const pieces = readPieces(channel, handle, 0, Math.min(found.sizeBytes, MARKER_BYTES_MAX));
        const bytes = await readBytes(pieces, MARKER_BYTES_MAX);
        await channel.close(handle);
        return { id: Buffer.from(bytes).toString('latin1').trim(), stamp };
      }),
    isThere: () =>
      connection.use(
        async (channel) => (await channel.stat(path === '' ? '.' : path)) !== undefined,
      ),
    mark: (text) =>
      connection.use(async (channel) => {
        await makeFolder(channel, path === '' ? '.' : path);
        const body = bodyFromBytes(Buffer.from(text), new Date(0));
        await writeBytesIfAbsent(channel, marker, body, connection);
      }),
    describe: (error, what) => named(error, what),
  });
}
