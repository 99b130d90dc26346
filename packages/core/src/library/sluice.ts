/**
 * Sluice inside an application: replicates its databases from a child process, which is started again if it
 * crashes.
 *
 * It is never done in the process of the application. If two copies of SQLite in one process have the same
 * database open, and one of them closes it, the locks of the other one are gone (docs/library.md).
 */

import { EventEmitter } from 'node:events';
import path from 'node:path';
import type { DatabaseOptions } from '../database/options.ts';
import { ERROR_CODES, messageOf, ReplicationError, type ErrorCode } from '../error.ts';
import type { DurableOptions, DurableReport } from '../replicate/durable/durability.ts';
import type { ForeignReplica } from '../replicate/ownership/standing.ts';
import type { DatabaseStatus, SyncReport } from '../replicate/status/status.ts';
import { DatabaseCalls } from './database-calls.ts';
import type { CredentialSource, DestinationData } from './destination-data.ts';
import { EventQueues } from './event-queue.ts';
import type { SluiceEvent, SluiceNotice } from './events.ts';
import type { HostedDestination, HostOptions } from './messages.ts';
import { Supervisor } from './supervisor.ts';
import { publishEvent, Telemetry } from './telemetry.ts';

/** A database of `openSluice`, with any of the options of `DatabaseOptions`. */
export interface SluiceDatabaseOptions extends Partial<Omit<DatabaseOptions, 'path'>> {
  /** Relative to the working directory. */
  readonly path: string;
  /** At least one. */
  readonly destinations: readonly DestinationData[];
}

/** Options of `openSluice`. */
export interface SluiceOptions {
  readonly databases: readonly SluiceDatabaseOptions[];
  /** Restore a database that is missing, from the newest state of its destinations. Default false. */
  readonly restoreIfMissing?: boolean | undefined;
  /** What to do with a replica that belongs to another replicator. Default 'refuse'. */
  readonly foreign?: ForeignReplica | undefined;
  /** How long a destination that fails delays the last sync. Default 30 s. */
  readonly shutdownSyncTimeoutMs?: number | undefined;
  /** Closes Sluice when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** One database of a `Sluice`. */
export interface SluiceDatabase {
  /**
   * Resolves when the last commit made before the call can be restored from `min` destinations, or from all.
   * Calls at the same time share their uploads. Rejects with NOT_DURABLE and `error.durable`, which tells which
   * destinations have it, after `timeoutMs` (30 s), on an abort, if too few destinations are left, and if the
   * process that replicates has ended.
   */
  durable(options?: DurableOptions): Promise<DurableReport>;
  /** Its state and that of its destinations. NOT_RUNNING if the process that replicates has ended. */
  status(): Promise<DatabaseStatus>;
  /**
   * Lets a folder that has come back empty get a full snapshot. Nothing is written there otherwise: it may be a
   * disk that is not mounted. `destination` is its name. 'not needed' if that is not what is wrong with it.
   */
  reseed(destination: string): Promise<'accepted' | 'not needed'>;
}

/** The events of `Sluice` as an emitter. */
interface Emitted {
  readonly warning: [notice: SluiceNotice];
  readonly error: [error: Error];
}

const SHUTDOWN_SYNC_TIMEOUT_MS = 30_000;

/**
 * Starts to replicate. Resolves when missing databases are restored: open them after that. Rejects with
 * CONFIG_INVALID, with STAGING_IN_USE if another process replicates one of the databases, or with the reason
 * why a missing one cannot be restored.
 */
export async function openSluice(options: SluiceOptions): Promise<Sluice> {
  const { signal } = options;
  signal?.throwIfAborted();
  const sluice = new Sluice(options);
  try {
    await sluice.whenOpened(signal);
    return sluice;
  } catch (error) {
    await sluice.close().catch(() => undefined); // the first error counts
    throw error;
  }
}

/**
 * Databases that are being replicated. Emits `warning` and `error`; without a listener, they become warnings of
 * the process. Closed by `close`, by `await using`, by the signal of `openSluice`, and when the application ends.
 */
export class Sluice extends EventEmitter<Emitted> implements AsyncDisposable {
  readonly #supervisor: Supervisor;
  readonly #queues = new EventQueues();
  readonly #databases: ReadonlyMap<string, SluiceDatabase>;
  readonly #signal: AbortSignal | undefined;
  #telemetry: Telemetry | undefined;

  /** Use `openSluice`. */
  constructor(options: SluiceOptions) {
    super();
    const { host, sources } = toHostOptions(options);
    this.#supervisor = new Supervisor(host, sources, (event) => this.#publish(event));
    this.#databases = new Map(
      host.databases.map(({ options: { path: file } }) => [
        file,
        new DatabaseCalls(this.#supervisor, file),
      ]),
    );
    this.#signal = options.signal;
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** @internal */
  async whenOpened(signal: AbortSignal | undefined): Promise<void> {
    await this.#supervisor.whenReady(signal === undefined ? [] : [signal]);
    this.#telemetry = await Telemetry.open(() => this.#readStatuses());
  }

  /** ID of the process that replicates; another one after a restart. */
  get pid(): number | undefined {
    return this.#supervisor.pid;
  }

  /** A database by its path, as given to `openSluice`. CONFIG_INVALID if it is not one of them. */
  database(file: string): SluiceDatabase {
    const found = this.#databases.get(path.resolve(file));
    if (found !== undefined) return found;
    const known = [...this.#databases.keys()].join(', ');
    const message = `use the database ${file}: it is not replicated here; the databases are ${known}`;
    throw new ReplicationError('CONFIG_INVALID', message);
  }

  /**
   * Events from now on, until it is closed; the first reader also gets those since the start. A reader does not keep
   * the application alive.
   */
  events(): AsyncIterableIterator<SluiceEvent> {
    return this.#queues.open();
  }

  /**
   * Makes a last sync and ends. The report tells which destinations are behind. NOT_RUNNING if the process that
   * replicates ended without a last sync.
   */
  async close(): Promise<SyncReport> {
    try {
      return await this.#supervisor.close();
    } finally {
      this.#signal?.removeEventListener('abort', this.#onAbort);
      this.#telemetry?.close();
      this.#queues.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  readonly #onAbort = (): void => {
    this.close().catch((error: unknown) => {
      const code = error instanceof ReplicationError ? error.code : undefined;
      this.#publish({ kind: 'error', message: messageOf(error), code });
    });
  };

  async #readStatuses(): Promise<ReadonlyMap<string, DatabaseStatus | undefined>> {
    const reading = [...this.#databases].map(async ([file, database]) => {
      return [file, await database.status().catch(() => undefined)] as const;
    });
    return new Map(await Promise.all(reading));
  }

  #publish(event: SluiceEvent): void {
    this.#queues.push(event);
    this.#telemetry?.count(event);
    publishEvent(event);
    if (event.kind === 'restarted') {
      const message = `the process that replicates has ended, and is started again: ${event.reason}`;
      this.#notify('warning', { message, code: 'NOT_RUNNING' });
    } else if (event.kind === 'warning' || event.kind === 'error') this.#notify(event.kind, event);
  }

  /** An `error` without a listener would end the application, and its backup is not worth that. */
  #notify(kind: 'warning' | 'error', { message, code, database }: SluiceNotice): void {
    const isNamed = database === undefined || message.includes(database);
    const text = isNamed ? message : `${database}: ${message}`;
    if (this.listenerCount(kind) === 0) {
      process.emitWarning(text, { type: 'SluiceWarning', ...(code !== undefined && { code }) });
    } else if (kind === 'warning') this.emit('warning', { message, code, database });
    else this.emit('error', toError(text, code));
  }
}

function toError(message: string, code: string | undefined): Error {
  const isKnown = code !== undefined && code in ERROR_CODES;
  return isKnown ? new ReplicationError(code as ErrorCode, message) : new Error(message);
}

/** CONFIG_INVALID if there is no database, or one twice. */
function toHostOptions({
  databases,
  restoreIfMissing = false,
  foreign = 'refuse',
  shutdownSyncTimeoutMs = SHUTDOWN_SYNC_TIMEOUT_MS,
}: SluiceOptions): { readonly host: HostOptions; readonly sources: readonly CredentialSource[] } {
  const sources: CredentialSource[] = [];
  const hosted = databases.map(({ destinations, ...given }) => {
    const options = { ...given, path: path.resolve(given.path) };
    return { options, destinations: destinations.map((each) => toHosted(each, sources)) };
  });
  const paths = new Set(hosted.map(({ options }) => options.path));
  if (paths.size === 0 || paths.size < databases.length) {
    const why = paths.size === 0 ? 'there is no database' : 'a database is given twice';
    throw new ReplicationError('CONFIG_INVALID', `open Sluice: ${why}; give each database once`);
  }
  const missing = restoreIfMissing ? 'restore' : 'wait';
  const host: HostOptions = { databases: hosted, missing, foreign, shutdownSyncTimeoutMs };
  return { host, sources };
}

/** A function cannot be sent: it is replaced by its number. */
function toHosted(
  { credentials, ...data }: DestinationData,
  sources: CredentialSource[],
): HostedDestination {
  return credentials === undefined ? data : { ...data, source: sources.push(credentials) - 1 };
}
