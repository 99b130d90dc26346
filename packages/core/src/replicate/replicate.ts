/**
 * Follows databases and sends what they commit to their destinations.
 *
 * Run it in a process of its own: an application that has a database open with another copy of
 * SQLite in the same process would lose its locks (hazards E-1).
 */

import { systemClock, type Clock } from '../clock.ts';
import { DATABASE_DEFAULTS, type DatabaseOptions } from '../database/options.ts';
import { assert, ReplicationError } from '../error.ts';
import type { FollowStats } from '../database/events.ts';
import type { Logger } from '../store/backend.ts';
import path from 'node:path';
import { WorkerPool } from './pool.ts';
import { Replication } from './replication.ts';
import type { DatabaseStatus, SyncReport } from './status.ts';
import type { ReplicaTarget } from './target.ts';
import { within } from './within.ts';

/** A thread that hangs in the system cannot be ended: it ends with the process. */
const CLOSE_MS_MAX = 5_000;

export interface ReplicateOptions {
  readonly databases: readonly {
    readonly options: Partial<DatabaseOptions> & { readonly path: string };
    readonly targets: readonly ReplicaTarget[];
    /** Database and destinations are left alone until it resolves: something else makes the database first. */
    readonly ready?: Promise<void> | undefined;
  }[];
  readonly logger: Logger;
  /** How far the copy of an image is, in bytes of the database. */
  readonly onProgress?: (database: string, doneBytes: number, totalBytes: number) => void;
  /**
   * A thread died of a broken invariant, or another process has taken a staging folder over: close,
   * and end the process.
   */
  readonly onCrash: (error: Error) => void;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface DrainOptions {
  /** A destination is left behind when so long after its first failure nothing has succeeded. */
  readonly shutdownSyncTimeoutMs: number;
  /** Tries of a failing destination follow each other by this. */
  readonly shutdownSyncIntervalMs: number;
  /** A database that has been missing for longer is a fault. Default: its `maxLagMs`. */
  readonly absentMs?: number | undefined;
}

export interface Replicator {
  status(): DatabaseStatus[];
  stats(database: string): Promise<FollowStats | undefined>;
  /** Cuts what `database` has committed; the TXID that holds it, once it is staged. */
  sync(database: string): Promise<bigint | undefined>;
  /** Brings every destination of every database up to date, each on its own, as far as it gets. */
  drain(options: DrainOptions): Promise<SyncReport>;
  /** Stops. What was not sent stays staged. 'hangs' where a thread could not be ended. */
  close(): Promise<'closed' | 'hangs'>;
}

/** The staging folder of a database where none is configured: beside it, hidden. */
export function defaultMetaPath(database: string): string {
  return path.join(path.dirname(database), `.${path.basename(database)}-sluice`);
}

export function completeOptions(
  options: Partial<DatabaseOptions> & { readonly path: string },
): DatabaseOptions {
  const metaPath = defaultMetaPath(options.path);
  const complete = { ...DATABASE_DEFAULTS, metaPath, ...options };
  // What is looked at more seldom than this cannot be known to be no older than max-lag.
  const monitorIntervalMs = Math.min(complete.monitorIntervalMs, complete.maxLagMs / 4);
  return { ...complete, monitorIntervalMs };
}

/** STAGING_IN_USE where another process follows one of the databases: then none is followed here. */
export async function replicate(options: ReplicateOptions): Promise<Replicator> {
  const { databases, logger, clock = systemClock, random = Math.random } = options;
  const pool = new WorkerPool(databases.length, options.onCrash);
  const replications = databases.map((database) => {
    assert(database.targets.length > 0, 'a database has a destination');
    return new Replication({
      options: completeOptions(database.options),
      targets: database.targets,
      ready: database.ready,
      watch: (order, listen) => pool.watch(order, listen),
      logger,
      clock,
      random,
      onLost: options.onCrash,
      onProgress: ({ doneBytes, totalBytes }) =>
        options.onProgress?.(database.options.path, doneBytes, totalBytes),
    });
  });
  const find = (database: string): Replication => {
    const found = replications.find((replication) => replication.path === database);
    if (found !== undefined) return found;
    throw new ReplicationError('CONFIG_INVALID', `${database} is not replicated by this process`);
  };
  const close = async (): Promise<'closed' | 'hangs'> => {
    await Promise.all(replications.map((replication) => replication.close()));
    return (await within(CLOSE_MS_MAX, pool.close())) ?? 'hangs';
  };
  await startAll(replications, close);
  return {
    status: () => replications.map((replication) => replication.status()),
    stats: (database) => find(database).stats(),
    sync: (database) => find(database).sync(),
    async drain(drainOptions) {
      const reports = replications.map((replication) => replication.drain(drainOptions));
      return { databases: await Promise.all(reports) };
    },
    close,
  };
}

/** All of them, or none: a database that another process follows is an error of the whole. */
async function startAll(
  replications: readonly Replication[],
  close: () => Promise<unknown>,
): Promise<void> {
  const started = await Promise.allSettled(replications.map((replication) => replication.start()));
  const refused = started.find((result) => result.status === 'rejected');
  if (refused === undefined) return;
  await close();
  throw refused.reason;
}
