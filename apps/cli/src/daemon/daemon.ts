/**
 * The replicating process: starts, waits for a reason to end, brings every destination up to date,
 * and ends.
 *
 *  reason to end                     exit code
 *  -once: everything is sent         0, `behind`, or `fenced`
 *  SIGINT, SIGTERM, SIGQUIT          0, or `behind`; before restores are done, 128 + its number
 *  SIGHUP                            the same with -once, or if it was started in a terminal; otherwise it does not
 *                                    end: the configuration is read again
 *  the child of -exec has ended      the child's; if that is 0: 0, or `behind`
 *  a second of these, at any time    128 + its number, at once
 *  -no-wait: another one has a lease `fenced`, at once
 *  an invariant is broken            1, at once: a process with corrupt state must not go on
 *  nobody caught an error            the same, unless it escaped from a destination's backend
 */

import {
  databaseCommands,
  dropRepeats,
  replicate,
  traceSpans,
  type DatabaseStatus,
  type Replicator,
} from '@sluice/core';
import { startChild, type RunningChild } from '../child.ts';
import { Destinations } from '../destinations.ts';
import { Interrupted } from '../interrupt.ts';
import { noteHangingThread } from '../exit-now.ts';
import type { HTTPServer } from '../http/server.ts';
import { ProgressBar } from '../progress.ts';
import { printJSON } from '../shell.ts';
import type { HealthWatch } from '../notifying/watch-health.ts';
import { withDrills } from '../status/drill-health.ts';
import { LastResultsReader } from '../status/last-results.ts';
import { DamageReport } from '../scrubbing/background.ts';
import { readVersion } from '../version.ts';
import { growYoungGeneration } from '../young-generation.ts';
import { handleEscapedErrors } from './escaped-errors.ts';
import { announce } from './announce.ts';
import { notifyServiceManager, type ServiceNotifier } from './notify.ts';
import { exitCodeOfReport, logReport } from './report.ts';
import type { DaemonOptions } from './options.ts';
import { CancelledRestore, MissingDatabases, type StartRestore } from './restore-missing.ts';
import { isOpenAtStart, Running } from './running.ts';
import { hangupOf, Stop } from './stop.ts';
import { toReplicated } from './targets.ts';
import { completeReport, Unfollowed } from './unfollowed.ts';

/** From this number on, a start allocates so much that a sixth of its processor time went into collections. */
const MANY_DATABASES = 64;

export async function runDaemon(options: DaemonOptions): Promise<number> {
  const { config, logger } = options;
  if (config.databases.length >= MANY_DATABASES) growYoungGeneration();
  handleEscapedErrors(options.shell, dropRepeats(logger));
  const stop = new Stop(logger, hangupOf(options.mode));
  await traceSpans();
  await using connections = new Destinations(logger, 'write');
  await using readConnections = new Destinations(logger, 'read');
  try {
    const version = await readVersion();
    announce(config, version, logger);
    const restores = new Map<string, StartRestore>();
    const missing = new MissingDatabases(options.restoreMissing, {
      connections: readConnections,
      logger,
      onUnanswered: options.mode === 'once' ? 'fail' : 'wait',
      onResult: (path, result) => void restores.set(path, result),
      signal: stop.signal,
    });
    const restoring = missing.restore(config.databases);
    const restored = Promise.all(restoring.values());
    restored.catch(() => undefined); // awaited once there is something to close
    // A database that waits for a destination does not delay the others.
    if (options.mode === 'once') await restored;
    const starting = { missing, restoring, restores, version };
    return await replicateUntilEnd(options, connections, stop, starting);
  } catch (error) {
    if (error instanceof Interrupted) return error.exitCode; // replication has not started
    throw error;
  }
}

type Restoring = ReadonlyMap<string, Promise<void>>;

interface Starting {
  readonly missing: MissingDatabases;
  readonly restoring: Restoring;
  /** Grows while they are restored. */
  readonly restores: ReadonlyMap<string, StartRestore>;
  readonly version: string;
}

async function replicateUntilEnd(
  options: DaemonOptions,
  connections: Destinations,
  stop: Stop,
  { missing, restoring, restores, version }: Starting,
): Promise<number> {
  let running: Running | undefined;
  const info = { version, startedAt: new Date(), control: () => running?.controlFolder };
  const { config, mode, command, environment, logger, shell } = options;
  const bar = new ProgressBar('reading', shell.stderr);
  const damage = new DamageReport();
  const crash = Promise.withResolvers<never>();
  crash.promise.catch(() => undefined); // every wait below races it
  const replicator = await replicate({
    databases: config.databases
      .filter((database) => isOpenAtStart(database, mode))
      .map((database) =>
        toReplicated(database, connections, damage, restoring.get(database.options.path)),
      ),
    expected: config.databases.length,
    control: (self, path) => databaseCommands(self, path, info),
    foreign: options.foreign,
    onHeld: options.held === 'refuse' ? crash.reject : undefined,
    logger: dropRepeats(logger),
    onProgress: (_, doneBytes, totalBytes) => {
      bar.update(doneBytes, totalBytes);
      if (doneBytes >= totalBytes) bar.end();
    },
    onCrash: crash.reject,
  });
  const own = new Running({ ...options, replicator, connections, damage, info, missing });
  running = own;
  const { databases } = own;
  let notifier: ServiceNotifier | undefined;
  let http: HTTPServer | undefined;
  let child: RunningChild | undefined;
  let watch: HealthWatch | undefined;
  try {
    const unfollowed = new Unfollowed();
    const status = (): readonly DatabaseStatus[] =>
      unfollowed.complete(replicator.status(), running?.members ?? []);
    notifier = notifyServiceManager({ shell, status, stop: stop.signal, logger });
    const results = new LastResultsReader(() => databases.replicated, logger);
    const { addr } = config;
    if (addr !== undefined) {
      const { startHTTP } = await import('../http/start.ts'); // loaded only if needed
      http = await startHTTP({
        ...{ addr, config, status, results, restores, connections, info, logger },
        databases: () => databases.replicated,
        configFile: options.configFile,
        secrets: shell.secrets,
        command: mode === 'once' ? undefined : (order, signal) => own.command(order, signal),
      });
    }
    if (mode !== 'once') await running.listen(stop);
    const interrupted = await Promise.race([codeOfInterrupt(restoring), crash.promise]);
    if (interrupted === 0) notifier?.restored();
    if (command !== undefined && !stop.signal.aborted) {
      child = await startChild(command, environment);
    }
    if (mode !== 'once' && interrupted === 0) {
      watch = await watchHealth(options, status, results);
      await running.background.start();
    }
    const ended =
      mode === 'once' || interrupted > 0 ? Promise.resolve(interrupted) : stop.whenToEnd(child);
    const childCode = await Promise.race([ended, crash.promise]);
    child = undefined;
    notifier?.lastSync();
    await Promise.race([running.close(), crash.promise]);
    await watch?.close();
    return await Promise.race([finish(replicator, options, running, childCode), crash.promise]);
  } catch (error) {
    if (child !== undefined) {
      logger.error(`replication failed: stopping the command (process ${child.pid}) too`);
    }
    throw error;
  } finally {
    bar.end();
    await Promise.race([running.close(), crash.promise.catch(() => undefined)]);
    await watch?.close();
    await child?.end();
    await http?.close();
    const closed = await Promise.race([replicator.close(), crash.promise.catch(() => undefined)]);
    if (closed === 'hangs') noteHangingThread();
    await notifier?.close();
  }
}

/** A command has stopped the database: nobody waits for it. */
async function unlessCancelled(restore: Promise<void>): Promise<void> {
  await restore.catch((error: unknown) => {
    if (!(error instanceof CancelledRestore)) throw error;
  });
}

/** Resolves with 0 when everything is restored. */
async function codeOfInterrupt(restoring: ReadonlyMap<string, Promise<void>>): Promise<number> {
  try {
    await Promise.all([...restoring.values()].map(unlessCancelled));
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) return error.exitCode;
    throw error;
  }
}

async function finish(
  replicator: Replicator,
  options: DaemonOptions,
  running: Running,
  childCode: number,
): Promise<number> {
  const { logger, mode, report: form, shell } = options;
  const { shutdownSyncTimeoutMs, shutdownSyncIntervalMs } = running.config;
  const { databases } = await replicator.drain({
    shutdownSyncTimeoutMs,
    shutdownSyncIntervalMs,
    // -once must send everything; otherwise we wait a while for databases that do not exist yet.
    ...(mode === 'once' ? { absentMs: 0, leases: 'wait' } : {}),
    retention: options.retention,
  });
  const report = { databases: completeReport(databases, running.databasesToReport) };
  logReport(report, logger);
  if (form === 'json') printJSON(shell, report);
  return childCode === 0 ? exitCodeOfReport(report) : childCode;
}

async function watchHealth(
  { config: { heartbeat, notify = [] }, logger, shell: { secrets } }: DaemonOptions,
  status: () => readonly DatabaseStatus[],
  results: LastResultsReader,
): Promise<HealthWatch | undefined> {
  if (heartbeat === undefined && notify.length === 0) return undefined;
  const { HealthWatch } = await import('../notifying/watch-health.ts'); // loaded only if needed
  const health = async (): Promise<DatabaseStatus[]> => withDrills(status(), await results.read());
  return new HealthWatch({ heartbeat, notify, health, logger, secrets });
}
