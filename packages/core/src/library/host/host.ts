/** Replicates the databases of an application, in a process of its own: starts, answers calls, and ends. */

import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../clock.ts';
import { isError } from '../../error.ts';
import { loggerFor, serving } from '../../replicate/logging.ts';
import {
  completeOptions,
  replicate,
  type ReplicateOptions,
  type Replicator,
} from '../../replicate/replicate.ts';
import type { DatabaseStatus, ReplicaTarget, SyncReport } from '../../replicate/status/status.ts';
import { isMissing } from '../../restore/missing-database.ts';
import { refuseWarmCopy } from '../../warm-copy/refuse-copy.ts';
import type { Logger } from '../../store/backend.ts';
import { changesBetween } from '../changes.ts';
import { databaseCommands } from '../database-commands.ts';
import {
  toHostFailure,
  type FromHost,
  type HostCall,
  type HostedDatabase,
  type HostOptions,
} from '../messages.ts';
import { Connection } from './connection.ts';
import { Credentials } from './credentials.ts';
import { dropRepeats } from './drop-repeats.ts';
import { loadDestinations, type LoadedDestination } from './load-destinations.ts';
import { restoreMissing } from './restore-missing.ts';

/** Time between two looks at the status for events. */
const LOOK_MS = 1_000;
/**
 * Maximum wait for the process of an earlier run, which ends after its last sync: longer than a destination that
 * does not answer can delay it by default.
 */
const OWNER_WAIT_MS = 75_000;
const OWNER_RETRY_MS = 200;
/** Time between tries of a failing destination in the last sync. */
const LAST_SYNC_INTERVAL_MS = 500;

interface Loaded {
  readonly database: HostedDatabase;
  readonly destinations: readonly LoadedDestination[];
  readonly connections: readonly Connection[];
  /** Resolved when the file may be opened; undefined if it exists. */
  readonly restored: PromiseWithResolvers<void> | undefined;
}

export class Host {
  readonly #send: (message: FromHost) => void;
  /** Ends the process: its state may be wrong. */
  readonly #crash: (error: unknown) => void;
  readonly #ending = new AbortController();
  readonly #calls = new Map<number, AbortController>();
  readonly #credentials: Credentials;
  readonly #logger: Logger;
  #loaded: readonly Loaded[] = [];
  #options: HostOptions | undefined;
  #replicator: Replicator | undefined;
  #hasStarted = false;
  #starting: Promise<void> = Promise.resolve();
  #looking: NodeJS.Timeout | undefined;
  #seen: readonly DatabaseStatus[] = [];

  constructor(send: (message: FromHost) => void, crash: (error: unknown) => void) {
    this.#send = send;
    this.#crash = crash;
    this.#logger = dropRepeats(this.#toEvents());
    this.#credentials = new Credentials(send);
  }

  /** The answers of the application to `ask`. */
  get credentials(): Credentials {
    return this.#credentials;
  }

  get logger(): Logger {
    return this.#logger;
  }

  /** Starts replication. Rejects, with everything closed, if it may not or cannot. */
  async start(options: HostOptions): Promise<void> {
    this.#options = options;
    this.#starting = this.#start(options);
    await this.#starting;
    this.#send({ kind: 'started' });
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
    this.#look();
  }

  async call(id: number, call: HostCall): Promise<void> {
    const controller = new AbortController();
    this.#calls.set(id, controller);
    try {
      const answer = await this.#answer(call, controller.signal);
      this.#send({ kind: 'answer', id, answer });
    } catch (error) {
      this.#send({ kind: 'failure', id, failure: toHostFailure(error) });
    } finally {
      this.#calls.delete(id);
    }
  }

  abort(id: number): void {
    this.#calls.get(id)?.abort();
  }

  /** Makes a last sync, and closes everything. undefined if replication had not started. */
  async end(): Promise<{
    readonly closed: 'closed' | 'hangs';
    readonly report: SyncReport | undefined;
  }> {
    this.#ending.abort(new DOMException('the application closes Sluice', 'AbortError'));
    await this.#starting.catch(() => undefined); // it was reported
    const report = this.#hasStarted ? await this.#drain() : undefined;
    this.#look();
    clearInterval(this.#looking);
    return { closed: await this.#close(), report };
  }

  async #start({ databases, missing, foreign }: HostOptions): Promise<void> {
    try {
      const wanted = databases.map(async (database) => await this.#load(database, missing));
      this.#loaded = await Promise.all(wanted);
      this.#replicator = await this.#replicate(foreign);
      // The lock is held now: the process of an earlier run has made its last sync.
      for (const loaded of this.#loaded) await this.#restore(loaded);
      this.#hasStarted = true;
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  async #load(database: HostedDatabase, missing: HostOptions['missing']): Promise<Loaded> {
    const { path } = database.options;
    await refuseWarmCopy(path);
    const destinations = await loadDestinations(database, (source, target) =>
      this.#credentials.ask(source, target),
    );
    const logger = loggerFor(this.#logger, path);
    const connections = destinations.map((each) => new Connection(each, 'write', logger));
    const isToRestore = missing === 'restore' && isMissing(path);
    const restored = isToRestore ? Promise.withResolvers<void>() : undefined;
    restored?.promise.catch(() => undefined); // `start` rejects
    return { database, destinations, connections, restored };
  }

  async #replicate(foreign: HostOptions['foreign']): Promise<Replicator> {
    const info = { version: await readVersion(), startedAt: new Date() };
    const options: ReplicateOptions = {
      databases: this.#loaded.map((loaded) => ({
        options: loaded.database.options,
        targets: toTargets(loaded),
        ready: loaded.restored?.promise,
      })),
      control: (self, path) => databaseCommands(self, path, info),
      foreign,
      logger: this.#logger,
      onCrash: this.#crash,
    };
    const { signal } = this.#ending;
    const until = systemClock.monotonic() + OWNER_WAIT_MS;
    for (let tries = 0; ; tries += 1) {
      signal.throwIfAborted();
      try {
        return await replicate(options);
      } catch (error) {
        if (!isError(error, 'STAGING_IN_USE') || systemClock.monotonic() >= until) throw error;
        if (tries === 0) this.#logger.warn(`waiting for another process: ${error.message}`);
      }
      await sleep(OWNER_RETRY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  async #restore({ database, destinations, restored }: Loaded): Promise<void> {
    if (restored === undefined) return;
    const { options } = database;
    const { path, metaPath } = completeOptions(options);
    const logger = loggerFor(this.#logger, path);
    const { signal } = this.#ending;
    const connections = destinations.map((each) => new Connection(each, 'read', logger));
    try {
      const found = await serving(path, () =>
        restoreMissing(
          {
            path,
            metaPath,
            destinations: destinations.flatMap((each, index) => {
              const connection = connections[index];
              return connection === undefined ? [] : [{ ...each, connection }];
            }),
          },
          { logger, signal },
        ),
      );
      if (found !== undefined) this.#event({ kind: 'restored', database: path, ...found });
      restored.resolve();
    } catch (error) {
      restored.reject(error);
      throw error;
    } finally {
      await Promise.all(connections.map((each) => each.close()));
    }
  }

  async #answer(call: HostCall, signal: AbortSignal): Promise<unknown> {
    const replicator = this.#replicator;
    if (replicator === undefined) throw new TypeError('a call came before the start');
    switch (call.method) {
      case 'durable':
        return await replicator.database(call.path).durable({ ...call.options, signal });
      case 'status':
        return await replicator.execute({ kind: 'status', path: call.path });
      case 'reseed': {
        const { path, destination } = call;
        return (await replicator.execute({ kind: 'reseed', path, destination })).reseed;
      }
    }
  }

  async #drain(): Promise<SyncReport | undefined> {
    const shutdownSyncTimeoutMs = this.#options?.shutdownSyncTimeoutMs ?? 0;
    return await this.#replicator?.drain({
      shutdownSyncTimeoutMs,
      shutdownSyncIntervalMs: LAST_SYNC_INTERVAL_MS,
    });
  }

  async #close(): Promise<'closed' | 'hangs'> {
    for (const { restored } of this.#loaded) restored?.reject(new Error('Sluice is closed'));
    const closed = (await this.#replicator?.close()) ?? 'closed';
    await Promise.all(
      this.#loaded.flatMap(({ connections }) => connections.map((each) => each.close())),
    );
    return closed;
  }

  #look(): void {
    const now = this.#replicator?.status() ?? [];
    for (const event of changesBetween(this.#seen, now)) this.#event(event);
    this.#seen = now;
  }

  #event(event: Extract<FromHost, { kind: 'event' }>['event']): void {
    this.#send({ kind: 'event', event });
  }

  /** Warnings and errors become events. Other lines are for the log of a command. */
  #toEvents(): Logger {
    const notice =
      (kind: 'warning' | 'error') =>
      (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
        const { code, db } = fields;
        const database = typeof db === 'string' ? db : undefined;
        this.#event({ kind, message, code: typeof code === 'string' ? code : undefined, database });
      };
    const ignore = (): void => undefined;
    return { debug: ignore, info: ignore, warn: notice('warning'), error: notice('error') };
  }
}

/** Of this package. */
async function readVersion(): Promise<string> {
  const manifest = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

function toTargets({ destinations, connections }: Loaded): readonly ReplicaTarget[] {
  return destinations.flatMap(({ name, type, target, retention, settings }, index) => {
    const connection = connections[index];
    if (connection === undefined) return [];
    const { syncIntervalMs, snapshotIntervalMs } = settings;
    const open: ReplicaTarget['open'] = (signal) => connection.open(signal);
    return [{ name, type, target, retention, syncIntervalMs, snapshotIntervalMs, open }];
  });
}
