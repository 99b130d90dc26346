/**
 * The replicating process: starts, waits for a reason to end, brings every destination up to date,
 * and ends.
 *
 *  reason to end                     exit code
 *  -once: everything is sent         0, `behind`, or `fenced`
 *  SIGINT, SIGTERM, SIGHUP, SIGQUIT  0, or `behind`; before restores are done, 128 + its number
 *  the child of -exec has ended      the child's; if that is 0: 0, or `behind`
 *  a second of these, at any time    128 + its number, at once
 *  -no-wait: another one has a lease `fenced`, at once
 *  an invariant is broken            1, at once: a process with corrupt state must not go on
 *  nobody caught an error            the same, unless it escaped from a destination's backend
 */

import fs from 'node:fs';
import {
  dropRepeats,
  replicate,
  traceSpans,
  type DatabaseStatus,
  type ReplicaTarget,
  type Replicator,
} from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import { startChild, type RunningChild } from '../child.ts';
import type { Config, DestinationConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import type { ConfigFile } from '../drilling/order.ts';
import { Interrupted } from '../interrupt.ts';
import { noteHangingThread } from '../exit-now.ts';
import type { HTTPServer } from '../http/server.ts';
import { ProgressBar } from '../progress.ts';
import { printJSON, type Environment, type Shell } from '../shell.ts';
import type { HealthWatch } from '../notifying/watch-health.ts';
import { withDrills } from '../status/drill-health.ts';
import { LastResultsReader } from '../status/last-results.ts';
import { BackgroundScrubs, DamageReport } from '../scrubbing/background.ts';
import { readVersion } from '../version.ts';
import type { BackgroundDrills } from './drills.ts';
import { handleEscapedErrors } from './escaped-errors.ts';
import { announce } from './announce.ts';
import { controlCommands } from './control-commands.ts';
import { exitCodeOfReport, logReport } from './report.ts';
import { restoreMissing, type StartRestore } from './restore-missing.ts';
import { Stop } from './stop.ts';

export interface DaemonOptions {
  readonly config: Config;
  readonly mode: 'once' | 'until-stopped';
  /** With `once`: delete what has passed its retention. */
  readonly retention?: 'enforce' | undefined;
  /** Command line of the child. */
  readonly command: string | undefined;
  /** What to do with replicas that belong to another replicator. */
  readonly foreign: 'refuse' | 'take over';
  /** What to do while another replicator holds a lease. */
  readonly held: 'wait' | 'refuse';
  readonly restoreMissing: 'all' | 'as-configured';
  readonly report: 'json' | 'log';
  /** undefined if the configuration is a command line. */
  readonly configFile: ConfigFile | undefined;
  /** Environment of the child. */
  readonly environment: Environment;
  readonly shell: Shell;
  readonly logger: Logger;
}

export async function runDaemon(options: DaemonOptions): Promise<number> {
  const { config, logger } = options;
  handleEscapedErrors(options.shell, dropRepeats(logger));
  const stop = new Stop(logger);
  await traceSpans();
  await using connections = new Destinations(logger, 'write');
  await using readConnections = new Destinations(logger, 'read');
  try {
    const version = await readVersion();
    announce(config, version, logger);
    const restores = new Map<string, StartRestore>();
    const restoring = restoreMissing(config, options.restoreMissing, {
      connections: readConnections,
      logger,
      onUnanswered: options.mode === 'once' ? 'fail' : 'wait',
      onResult: (path, result) => void restores.set(path, result),
      signal: stop.signal,
    });
    const restored = Promise.all(restoring.values());
    restored.catch(() => undefined); // awaited once there is something to close
    // A database that waits for a destination does not delay the others.
    if (options.mode === 'once') await restored;
    return await replicateUntilEnd(options, connections, stop, { restoring, restores, version });
  } catch (error) {
    if (error instanceof Interrupted) return error.exitCode; // replication has not started
    throw error;
  }
}

interface Starting {
  readonly restoring: ReadonlyMap<string, Promise<void>>;
  /** Grows while they are restored. */
  readonly restores: ReadonlyMap<string, StartRestore>;
  readonly version: string;
}

async function replicateUntilEnd(
  options: DaemonOptions,
  connections: Destinations,
  stop: Stop,
  { restoring, restores, version }: Starting,
): Promise<number> {
  const info = { version, startedAt: new Date() };
  const { config, mode, command, environment, logger, shell } = options;
  const bar = new ProgressBar('reading', shell.stderr);
  const damage = new DamageReport();
  const crash = Promise.withResolvers<never>();
  crash.promise.catch(() => undefined); // every wait below races it
  const replicator = await replicate({
    databases: config.databases.map(({ options: database, destinations }) => ({
      options: database,
      targets: destinations
        .filter(({ enabled }) => enabled !== false)
        .map((destination) => toTarget(destination, connections, damage)),
      ready: restoring.get(database.path),
    })),
    control: (self, path) => controlCommands(self, path, info),
    foreign: options.foreign,
    onHeld: options.held === 'refuse' ? crash.reject : undefined,
    logger: dropRepeats(logger),
    onProgress: (_, doneBytes, totalBytes) => {
      bar.update(doneBytes, totalBytes);
      if (doneBytes >= totalBytes) bar.end();
    },
    onCrash: crash.reject,
  });
  let http: HTTPServer | undefined;
  let child: RunningChild | undefined;
  let drills: BackgroundDrills | undefined;
  let scrubs: BackgroundScrubs | undefined;
  let watch: HealthWatch | undefined;
  try {
    const results = new LastResultsReader(() => config.databases, logger);
    const { addr } = config;
    if (addr !== undefined) {
      const { startHTTP } = await import('../http/start.ts'); // loaded only if needed
      http = await startHTTP({
        addr,
        config,
        replicator,
        results,
        restores,
        connections,
        info,
        logger,
      });
    }
    const interrupted = await Promise.race([codeOfInterrupt(restoring), crash.promise]);
    if (command !== undefined && !stop.signal.aborted) {
      child = await startChild(command, environment);
    }
    if (mode !== 'once' && interrupted === 0) {
      watch = await watchHealth(options, replicator, results);
      drills = await startDrills(options, replicator);
      const { databases } = config;
      scrubs = new BackgroundScrubs({ databases, connections, replicator, damage, logger });
    }
    const ended =
      mode === 'once' || interrupted > 0 ? Promise.resolve(interrupted) : stop.whenToEnd(child);
    const childCode = await Promise.race([ended, crash.promise]);
    child = undefined;
    await Promise.all([drills?.close(), scrubs?.close(), watch?.close()]);
    return await Promise.race([finish(replicator, options, childCode), crash.promise]);
  } catch (error) {
    if (child !== undefined) {
      logger.error(`replication failed: stopping the command (process ${child.pid}) too`);
    }
    throw error;
  } finally {
    bar.end();
    await Promise.all([drills?.close(), scrubs?.close(), watch?.close()]);
    await child?.end();
    await http?.close();
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
    ...(mode === 'once' ? { absentMs: 0, leases: 'wait' } : {}),
    retention: options.retention,
  });
  logReport(report, logger);
  if (form === 'json') printJSON(shell, report);
  return childCode === 0 ? exitCodeOfReport(report) : childCode;
}

async function watchHealth(
  { config: { heartbeat, notify = [] }, logger, shell: { secrets } }: DaemonOptions,
  replicator: Replicator,
  results: LastResultsReader,
): Promise<HealthWatch | undefined> {
  if (heartbeat === undefined && notify.length === 0) return undefined;
  const { HealthWatch } = await import('../notifying/watch-health.ts'); // loaded only if needed
  const health = async (): Promise<DatabaseStatus[]> =>
    withDrills(replicator.status(), await results.read());
  return new HealthWatch({ heartbeat, notify, health, logger, secrets });
}

async function startDrills(
  options: DaemonOptions,
  replicator: Replicator,
): Promise<BackgroundDrills | undefined> {
  const { config, configFile, environment, logger } = options;
  if (config.databases.every(({ drills }) => Object.keys(drills).length === 0)) return undefined;
  if (configFile === undefined || !isFile(configFile.file)) {
    logger.warn(
      `there are no drills: their process reads the configuration again, but ${config.source} is not a file; ` +
        'put the configuration into a file, or run "sluice drill" from a timer',
    );
    return undefined;
  }
  const { BackgroundDrills } = await import('./drills.ts'); // loaded only if needed
  return new BackgroundDrills({
    databases: config.databases,
    config: configFile,
    environment,
    status: () => replicator.status(),
    logger,
  });
}

/** A pipe can be read only once. */
function isFile(file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

function toTarget(
  destination: DestinationConfig,
  connections: Destinations,
  damage: DamageReport,
): ReplicaTarget {
  const { name, type, target, retention, syncIntervalMs, snapshotIntervalMs, lease } = destination;
  const open: ReplicaTarget['open'] = (signal) => connections.open(destination, signal);
  return {
    name,
    type,
    target,
    retention,
    syncIntervalMs,
    snapshotIntervalMs,
    lease,
    open,
    damage: () => damage.of(destination),
  };
}
