/**
 * Follows databases and sends their commits to destinations.
 *
 * Run it in a separate process: if the same process has a database open through another copy of
 * SQLite, that copy loses its locks (hazards E-1).
 */

import { systemClock, type Clock } from '../clock.ts';
import { ServedCommands } from '../control/served.ts';
import type { ControlCommands } from '../control/server.ts';
import { systemFiles, type FileSystem } from '../file-system.ts';
import { systemRandom, type Random } from '../random.ts';
import { refuseSecondName } from '../database/continuity/file.ts';
import { DATABASE_DEFAULTS, type DatabaseOptions } from '../database/options.ts';
import { assert, ReplicationError } from '../error.ts';
import type { Logger } from '../store/backend.ts';
import path from 'node:path';
import { threadsFor, WatchPool } from './watch-pool.ts';
import { MergeThread } from './levels/merge-thread.ts';
import { type Machine, thisMachine } from './ownership/identity.ts';
import { ownershipsOf } from './ownership/ownership.ts';
import type { ForeignReplica } from './ownership/standing.ts';
import { loggerFor } from './logging.ts';
import { Replication } from './replication.ts';
import type { DatabaseReport, DatabaseState, DatabaseStatus, SyncReport } from './status/status.ts';
import type { DurableOptions, DurableReport } from './durable/durability.ts';
import type { SnapshotOrder } from './image-requests.ts';
import type { ReplicaTarget } from './status/status.ts';
import type { Reseed } from './reseed.ts';
import { within } from './waits.ts';

/** A thread that hangs in a system call cannot be stopped; it ends with the process. */
const CLOSE_MS_MAX = 5_000;

/** A database and its destinations. */
export interface ReplicatedDatabase {
  readonly options: Partial<DatabaseOptions> & { readonly path: string };
  /** At least one destination. */
  readonly targets: readonly ReplicaTarget[];
  /**
   * Neither the database nor its destinations are touched until this resolves, e.g. while it is
   * being restored.
   */
  readonly ready?: Promise<void> | undefined;
}

/** What to replicate, and the surroundings. `clock`, `random` and `files` default to those of the system. */
export interface ReplicateOptions {
  readonly databases: readonly ReplicatedDatabase[];
  /** How many databases there will be, if more are added soon. With very many, there are fewer threads. */
  readonly expected?: number | undefined;
  readonly logger: Logger;
  /** Progress of a full snapshot, in bytes of the database. */
  readonly onProgress?: (database: string, doneBytes: number, totalBytes: number) => void;
  /**
   * A thread crashed on a broken invariant, or another process took over a staging folder. Call
   * `close` and exit the process.
   */
  readonly onCrash: (error: Error) => void;
  /**
   * Commands that other processes may send for a database, through a socket in its staging folder
   * (`callControl`). Default: there is no socket.
   */
  readonly control?: (replicator: Replicator, path: string) => ControlCommands;
  /** What to do with a replica that belongs to another replicator, when it is listed first. Default 'refuse'. */
  readonly foreign?: ForeignReplica | undefined;
  /**
   * Called when another replicator holds the lease of a destination that has `lease`. Default: this one waits for
   * its end. Call `close` and exit the process, or ignore it to wait.
   */
  readonly onHeld?: ((error: Error) => void) | undefined;
  /** Name and ID of the machine. Default: those of this one. */
  readonly machine?: Machine | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
  /** File system for the staging folders. */
  readonly files?: FileSystem;
}

/** Options of the last sync. Times are in milliseconds. */
export interface DrainOptions {
  /** Gives a destination up if nothing has succeeded for this long after its first failure. */
  readonly shutdownSyncTimeoutMs: number;
  /** Time between tries of a failing destination. */
  readonly shutdownSyncIntervalMs: number;
  /** A database that has been missing for longer counts as unhealthy. Default: its `maxLagMs`. */
  readonly absentMs?: number | undefined;
  /** Wait until the lease of another replicator has ended, at most for its own `ttlMs` more. Default 'give up'. */
  readonly leases?: 'wait' | 'give up' | undefined;
  /** Delete what is no longer needed before the end. Default: only while it runs. */
  readonly retention?: 'enforce' | undefined;
}

/** Runtime commands for one database, with their input and answer. */
export interface Commands {
  /**
   * Adds a database. CONFIG_INVALID if it is already replicated here, STAGING_IN_USE if another
   * process replicates it.
   */
  readonly add: {
    readonly input: { readonly database: ReplicatedDatabase };
    readonly answer: DatabaseStatus;
  };
  /** Brings the destinations of one database up to date, like `drain` of the replicator. Remove it afterwards. */
  readonly drain: {
    readonly input: OfDatabase & { readonly options: DrainOptions };
    readonly answer: DatabaseReport;
  };
  /** Stops replicating a database. Unsent files stay staged. */
  readonly remove: { readonly input: OfDatabase; readonly answer: DatabaseStatus };
  /** Stages everything committed. Returns its TXID, or undefined while the database is not followed. */
  readonly sync: {
    readonly input: OfDatabase;
    readonly answer: { readonly txid: bigint | undefined };
  };
  /** Makes a full snapshot for all destinations. `damage`: why it gets a new TXID, even if nothing has changed. */
  readonly snapshot: {
    readonly input: OfDatabase & { readonly damage?: string | undefined };
    readonly answer: { readonly snapshot: SnapshotOrder };
  };
  /**
   * Lets a destination that is a folder be seeded again, although it is empty and has lost its marker. 'not needed' if
   * it does not fail for that reason.
   */
  readonly reseed: {
    readonly input: OfDatabase & { readonly destination: string };
    readonly answer: { readonly reseed: Reseed };
  };
  /** With `write`, the state file says the same before the answer, so that other processes see it at once. */
  readonly status: {
    readonly input: OfDatabase & { readonly write?: boolean | undefined };
    readonly answer: DatabaseStatus;
  };
}

interface OfDatabase {
  readonly path: string;
}

/** A command to the replicator: its kind and the input of that kind, as listed in `Commands`. */
export type Command<Kind extends keyof Commands = keyof Commands> = {
  readonly [Each in Kind]: { readonly kind: Each } & Commands[Each]['input'];
}[Kind];

/** A replicated database. */
export interface DatabaseHandle {
  /** The `state` of its status, which takes much longer to make. */
  readonly state: DatabaseState;
  /**
   * Resolves when the last commit made before the call can be restored from `min` destinations, or from
   * all. Calls at the same time share their uploads: the next file is cut when the one on its way has
   * arrived. Rejects with NOT_DURABLE and `error.durable`, which tells which destinations have it, after
   * `timeoutMs` (30 s), on an abort, if too few destinations are left, and when replication is closed. A
   * commit that is not durable is not undone: Sluice keeps trying to send it.
   */
  durable(options?: DurableOptions): Promise<DurableReport>;
}

/** A running replication, returned by `replicate`. */
export interface Replicator {
  /** Throws CONFIG_INVALID for a database that is not replicated here, REPLICA_CLOSED after `close`. */
  execute<Kind extends keyof Commands>(command: Command<Kind>): Promise<Commands[Kind]['answer']>;
  /** One of the databases. Throws CONFIG_INVALID if it is not replicated here. */
  database(path: string): DatabaseHandle;
  /** Status of all databases, in the order they were added. */
  status(): DatabaseStatus[];
  /** Brings all destinations of all databases up to date, independently of each other. */
  drain(options: DrainOptions): Promise<SyncReport>;
  /** Stops. Unsent files stay staged. Resolves with 'hangs' if a thread could not be stopped. */
  close(): Promise<'closed' | 'hangs'>;
}

/** Default staging folder of a database: a hidden folder next to it. */
export function defaultMetaPath(database: string): string {
  return path.join(path.dirname(database), `.${path.basename(database)}-sluice`);
}

/** Adds the defaults, and polls at least four times per `maxLagMs`. Does not check the values. */
export function completeOptions(
  options: Partial<DatabaseOptions> & { readonly path: string },
): DatabaseOptions {
  const metaPath = defaultMetaPath(options.path);
  const complete = { ...DATABASE_DEFAULTS, metaPath, ...options };
  // Polling less often could not confirm a lag below max-lag.
  const monitorIntervalMs = Math.min(complete.monitorIntervalMs, complete.maxLagMs / 4);
  return { ...complete, monitorIntervalMs };
}

/** Throws STAGING_IN_USE, and starts nothing, if another process replicates one of the databases. */
export async function replicate(options: ReplicateOptions): Promise<Replicator> {
  const replicator = new Replications(options);
  await replicator.startAll(options.databases);
  return replicator;
}

class Replications implements Replicator {
  readonly #options: ReplicateOptions;
  readonly #pool: WatchPool;
  readonly #merges = new MergeThread();
  readonly #replications = new Map<string, Replication>();
  readonly #sockets = new Map<string, ServedCommands>();
  #isClosed = false;

  constructor(options: ReplicateOptions) {
    this.#options = options;
    const expected = Math.max(options.expected ?? 0, options.databases.length);
    this.#pool = new WatchPool(options.onCrash, threadsFor(expected));
  }

  /** Starts all databases or none. */
  async startAll(databases: readonly ReplicatedDatabase[]): Promise<void> {
    const added = databases.map((database) => this.#add(database));
    const started = await Promise.allSettled(added.map((replication) => replication.start()));
    const refused = started.find((result) => result.status === 'rejected');
    if (refused === undefined) return;
    await this.close();
    throw refused.reason;
  }

  async execute<Kind extends keyof Commands>(
    command: Command<Kind>,
  ): Promise<Commands[Kind]['answer']> {
    if (this.#isClosed) throw new ReplicationError('REPLICA_CLOSED', 'the replicator is closed');
    return await this.#execute(command as Command);
  }

  database(path: string): DatabaseHandle {
    const replication = this.#find(path);
    return {
      get state() {
        return replication.state();
      },
      durable: (options = {}) => replication.durability.durable(options),
    };
  }

  status(): DatabaseStatus[] {
    return [...this.#replications.values()].map((replication) => replication.status());
  }

  async drain(options: DrainOptions): Promise<SyncReport> {
    const replications = [...this.#replications.values()];
    const reports = replications.map((replication) => replication.drain(options));
    return { databases: await Promise.all(reports) };
  }

  async close(): Promise<'closed' | 'hangs'> {
    this.#isClosed = true;
    const replications = [...this.#replications.values()];
    await Promise.all(replications.map((replication) => this.#close(replication)));
    const threads = Promise.all([this.#pool.close(), this.#merges.close()]);
    return (await within(CLOSE_MS_MAX, threads)) === undefined ? 'hangs' : 'closed';
  }

  async #execute(command: Command): Promise<Commands[keyof Commands]['answer']> {
    switch (command.kind) {
      case 'add':
        return await this.#start(command.database);
      case 'drain':
        return await this.#find(command.path).drain(command.options);
      case 'remove':
        return await this.#remove(command.path);
      case 'sync':
        return { txid: await this.#find(command.path).sync() };
      case 'snapshot':
        return { snapshot: this.#find(command.path).snapshot(command.damage) };
      case 'reseed':
        return { reseed: await this.#find(command.path).reseed(command.destination) };
      case 'status':
        return await this.#find(command.path).report(command.write);
    }
  }

  async #start(database: ReplicatedDatabase): Promise<DatabaseStatus> {
    const replication = this.#add(database);
    try {
      await replication.start();
    } catch (error) {
      this.#replications.delete(replication.path);
      await this.#close(replication);
      throw error;
    }
    return replication.status();
  }

  /** The path can be added again only after the close. */
  async #remove(database: string): Promise<DatabaseStatus> {
    const replication = this.#find(database);
    await this.#close(replication);
    this.#replications.delete(database);
    this.#sockets.delete(database);
    return replication.status();
  }

  /** The commands in progress get their answer first. */
  async #close(replication: Replication): Promise<void> {
    const { path, durability } = replication;
    durability.close();
    await this.#sockets.get(path)?.close();
    await replication.close();
  }

  #add({ options: database, targets, ready }: ReplicatedDatabase): Replication {
    const { path } = database;
    if (this.#replications.has(path)) {
      throw new ReplicationError(
        'CONFIG_INVALID',
        `add ${path}: this process replicates it already`,
      );
    }
    refuseSecondName(path, this.#replications.keys());
    assert(targets.length > 0, 'a database has a destination');
    const { logger, onCrash, onProgress } = this.#options;
    const complete = completeOptions(database);
    const { metaPath } = complete;
    const socket = new ServedCommands(metaPath, this.#options.control?.(this, path), logger);
    this.#sockets.set(path, socket);
    const replication = new Replication({
      options: complete,
      targets,
      ready,
      watch: (order, listen) => this.#pool.watch(order, listen),
      merge: this.#merges.merge,
      ownership: ownershipsOf({
        options: completeOptions(database),
        foreign: this.#options.foreign ?? 'refuse',
        onHeld: this.#options.onHeld,
        machine: this.#options.machine ?? thisMachine(),
        logger: loggerFor(logger, path),
        ...this.#ports,
      }),
      logger,
      onOwned: () => socket.start(),
      databases: () => this.#replications.size,
      ...this.#ports,
      onLost: onCrash,
      onProgress: ({ doneBytes, totalBytes }) => onProgress?.(path, doneBytes, totalBytes),
    });
    this.#replications.set(path, replication);
    return replication;
  }

  get #ports(): { readonly clock: Clock; readonly random: Random; readonly files: FileSystem } {
    const { clock = systemClock, random = systemRandom, files = systemFiles } = this.#options;
    return { clock, random, files };
  }

  #find(database: string): Replication {
    const found = this.#replications.get(database);
    if (found !== undefined) return found;
    throw new ReplicationError('CONFIG_INVALID', `this process does not replicate ${database}`);
  }
}
