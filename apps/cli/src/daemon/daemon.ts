/**
 * The replicating process: starts, waits for a reason to end, brings every destination up to date,
 * and ends.
 *
 *  reason to end                     exit code
 *  -once: everything is sent         0, or `behind`
 *  SIGINT, SIGTERM, SIGHUP, SIGQUIT  0, or `behind`; before restores are done, 128 + its number
 *  the child of -exec has ended      the child's; if that is 0: 0, or `behind`
 *  a second of these, at any time    128 + its number, at once
 *  an invariant is broken            1, at once: a process with corrupt state must not go on
 */

import { replicate, type Replicator } from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import { dropRepeats } from '../drop-repeats.ts';
import { startChild, type RunningChild } from '../child.ts';
import type { Config, DatabaseConfig, DestinationConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { Interrupted } from '../interrupt.ts';
import { noteHangingThread } from '../exit-now.ts';
import type { LastDrills } from '../metrics-registry.ts';
import type { MetricsServer } from '../metrics.ts';
import { ProgressBar } from '../progress.ts';
import { printJSON, type Environment, type Shell } from '../shell.ts';
import { readLastDrills } from '../status/drills.ts';
import { readVersion } from '../version.ts';
import { announce } from './announce.ts';
import { exitCodeOfReport, logReport } from './report.ts';
import { restoreMissing } from './restore-missing.ts';
import { Stop } from './stop.ts';

export interface DaemonOptions {
  readonly config: Config;
  readonly mode: 'once' | 'until-stopped';
  /** Command line of the child. */
  readonly command: string | undefined;
  readonly restoreMissing: 'all' | 'as-configured';
  readonly report: 'json' | 'log';
  /** Environment of the child. */
  readonly environment: Environment;
  readonly shell: Shell;
  readonly logger: Logger;
}

export async function runDaemon(options: DaemonOptions): Promise<number> {
  const { config, logger } = options;
  const stop = new Stop(logger);
  await using connections = new Destinations(logger, 'write');
  await using readConnections = new Destinations(logger, 'read');
  try {
    announce(config, await readVersion(), logger);
    const restoring = restoreMissing(config, options.restoreMissing, {
      connections: readConnections,
      logger,
      onUnanswered: options.mode === 'once' ? 'fail' : 'wait',
      signal: stop.signal,
    });
    const restored = Promise.all(restoring.values());
    restored.catch(() => undefined); // awaited once there is something to close
    // A database that waits for a destination does not delay the others.
    if (options.mode === 'once') await restored;
    return await replicateUntilEnd(options, connections, stop, restoring);
  } catch (error) {
    if (error instanceof Interrupted) return error.exitCode; // replication has not started
    throw error;
  }
}

async function replicateUntilEnd(
  options: DaemonOptions,
  connections: Destinations,
  stop: Stop,
  restoring: ReadonlyMap<string, Promise<void>>,
): Promise<number> {
  const { config, mode, command, environment, logger, shell } = options;
  const bar = new ProgressBar('reading', shell.stderr);
  const crash = Promise.withResolvers<never>();
  crash.promise.catch(() => undefined); // every wait below races it
  const replicator = await replicate({
    databases: config.databases.map(({ options: database, destinations }) => ({
      options: database,
      targets: destinations.map((destination) => toTarget(destination, connections)),
      ready: restoring.get(database.path),
    })),
    logger: dropRepeats(logger),
    onProgress: (_, doneBytes, totalBytes) => {
      bar.update(doneBytes, totalBytes);
      if (doneBytes >= totalBytes) bar.end();
    },
    onCrash: crash.reject,
  });
  let metrics: MetricsServer | undefined;
  let child: RunningChild | undefined;
  try {
    metrics = await startMetrics(config, replicator, logger);
    const interrupted = await Promise.race([codeOfInterrupt(restoring), crash.promise]);
    if (command !== undefined && !stop.signal.aborted) {
      child = await startChild(command, environment);
    }
    const ended =
      mode === 'once' || interrupted > 0 ? Promise.resolve(interrupted) : stop.whenToEnd(child);
    const childCode = await Promise.race([ended, crash.promise]);
    child = undefined;
    return await Promise.race([finish(replicator, options, childCode), crash.promise]);
  } catch (error) {
    if (child !== undefined) {
      logger.error(`replication failed: stopping the command (process ${child.pid}) too`);
    }
    throw error;
  } finally {
    bar.end();
    await child?.end();
    await metrics?.close();
    const closed = await Promise.race([replicator.close(), crash.promise.catch(() => undefined)]);
    if (closed === 'hangs') noteHangingThread();
  }
}

/** Resolves with 0 when everything is restored. */
async function codeOfInterrupt(restoring: ReadonlyMap<string, Promise<void>>): Promise<number> {
  try {
    await Promise.all(restoring.values());
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) return error.exitCode;
    throw error;
  }
}

async function finish(
  replicator: Replicator,
  options: DaemonOptions,
  childCode: number,
): Promise<number> {
  const { config, logger, mode, report: form, shell } = options;
  const { shutdownSyncTimeoutMs, shutdownSyncIntervalMs } = config;
  const report = await replicator.drain({
    shutdownSyncTimeoutMs,
    shutdownSyncIntervalMs,
    // -once must send everything; otherwise we wait a while for databases that do not exist yet.
    ...(mode === 'once' ? { absentMs: 0 } : {}),
  });
  logReport(report, logger);
  if (form === 'json') printJSON(shell, report);
  return childCode === 0 ? exitCodeOfReport(report) : childCode;
}

async function startMetrics(
  config: Config,
  replicator: Replicator,
  logger: Logger,
): Promise<MetricsServer | undefined> {
  if (config.addr === undefined) return undefined;
  const { serveMetrics } = await import('../metrics.ts'); // loads prom-client only if needed
  const readDrills = async (): Promise<LastDrills[]> =>
    Promise.all(
      config.databases.map(async (database) => ({
        db: database.options.path,
        records: await readDrillsOrNone(database, logger),
      })),
    );
  return await serveMetrics(config.addr, () => replicator.status(), logger, readDrills);
}

/** The other metrics must not be lost with those of the drills. */
async function readDrillsOrNone(
  database: DatabaseConfig,
  logger: Logger,
): Promise<LastDrills['records']> {
  try {
    return await readLastDrills(database);
  } catch (error) {
    logger.warn(`/metrics lacks the last drills: ${messageOf(error)}`);
    return new Map();
  }
}

function toTarget(
  destination: DestinationConfig,
  connections: Destinations,
): Parameters<typeof replicate>[0]['databases'][0]['targets'][0] {
  const { name, type, target } = destination;
  return { name, type, target, open: (signal) => connections.open(destination, signal) };
}
