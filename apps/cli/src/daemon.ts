/** The replicating process: starts, waits for a reason to end, brings everything up to date, ends. */

import fs from 'node:fs';
import {
  isError,
  replicate,
  type ReplicaTarget,
  type Replicator,
  type SyncReport,
} from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import type { Arguments } from './args.ts';
import { startChild, type RunningChild } from './child.ts';
import type { Config, DatabaseConfig, DestinationConfig } from './config/model.ts';
import { Destinations } from './destinations.ts';
import { EXIT } from './exit-codes.ts';
import { createLogger, LOG_LEVELS } from './log.ts';
import { ProgressBar } from './progress.ts';
import { findCandidates, restoreFromBest } from './restoring.ts';

export async function runDaemon(config: Config, args: Arguments): Promise<number> {
  const logger = loggerOf(config, args);
  const open = new Destinations(logger, 'write');
  try {
    await restoreMissing(config, args, logger);
    announce(config, logger);
    return await replicateUntilEnd(config, args, open, logger);
  } finally {
    await open.close();
  }
}

async function replicateUntilEnd(
  config: Config,
  args: Arguments,
  open: Destinations,
  logger: Logger,
): Promise<number> {
  const crashed = Promise.withResolvers<never>();
  crashed.promise.catch(() => undefined); // it is raced below; a crash before that is told there
  const bar = new ProgressBar('image');
  const replicator = await replicate({
    databases: config.databases.map(({ options, destinations }) => ({
      options,
      targets: destinations.map((destination) => toTarget(destination, open)),
    })),
    logger,
    onProgress: (_, doneBytes, totalBytes) => {
      bar.update(doneBytes, totalBytes);
      if (doneBytes >= totalBytes) bar.end();
    },
    onCrash: (error) => crashed.reject(error),
  });
  if (args.has('once')) return await finish(replicator, config, args, logger, 0);
  const command = args.text('exec') ?? config.exec;
  const metrics = await startMetrics(config, replicator, logger);
  const child = command === undefined ? undefined : await startChild(command);
  const code = await Promise.race([untilEnd(child, logger), crashed.promise]);
  const finished = finish(replicator, config, args, logger, code);
  const result = await Promise.race([finished, crashed.promise]);
  await metrics?.close();
  return result;
}

/** Resolves with the child's exit code, or 0 at a signal. A second signal ends the process at once. */
async function untilEnd(child: RunningChild | undefined, logger: Logger): Promise<number> {
  const signalled = Promise.withResolvers<number>();
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals > 1) {
      logger.warn('a second signal: leaving at once; what was not sent stays staged');
      process.exit(EXIT.behind.code);
    }
    if (child !== undefined) child.kill(signal);
    else {
      logger.info(`${signal}: a last sync to every destination; a second signal leaves at once`);
      signalled.resolve(0);
    }
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return await (child === undefined ? signalled.promise : child.ended);
}

async function finish(
  replicator: Replicator,
  config: Config,
  args: Arguments,
  logger: Logger,
  code: number,
): Promise<number> {
  const { shutdownSyncTimeoutMs, shutdownSyncIntervalMs } = config;
  const report = await replicator.drain({ shutdownSyncTimeoutMs, shutdownSyncIntervalMs });
  await replicator.close();
  const complete = tell(report, logger);
  if (args.has('json')) process.stdout.write(`${JSON.stringify(report)}\n`);
  if (code !== 0) return code;
  return complete ? EXIT.ok.code : EXIT.behind.code;
}

function tell(report: SyncReport, logger: Logger): boolean {
  let complete = true;
  for (const { path, txid, error, destinations } of report.databases) {
    if (error !== undefined) logger.error(`${path}: ${error.message}`, { code: error.code });
    for (const at of destinations) {
      const fields = { target: at.target, txid: at.txid, of: txid };
      if (at.complete === 'complete') logger.info(`${path}: ${at.name} has everything`, fields);
      else {
        complete = false;
        const why = at.cause === undefined ? '' : `: ${at.cause.message}`;
        logger.error(`${path}: ${at.name} is behind${why}`, { ...fields, code: at.cause?.code });
      }
    }
  }
  return complete;
}

async function startMetrics(
  config: Config,
  replicator: Replicator,
  logger: Logger,
): Promise<{ close(): Promise<void> } | undefined> {
  if (config.addr === undefined || config.addr === '') return undefined;
  const { serveMetrics } = await import('./metrics.ts');
  return await serveMetrics(config.addr, replicator, logger);
}

/** -restore-if-db-not-exists: a database that is missing comes back first, where there is a backup. */
async function restoreMissing(config: Config, args: Arguments, logger: Logger): Promise<void> {
  for (const database of config.databases) {
    const isWanted = args.has('restore-if-db-not-exists') || database.restoreIfMissing === 'yes';
    if (isWanted && !fs.existsSync(database.options.path)) await restoreOne(database, logger);
  }
}

async function restoreOne(database: DatabaseConfig, logger: Logger): Promise<void> {
  const open = new Destinations(logger, 'read');
  const { path } = database.options;
  try {
    const target = { kind: 'latest' } as const;
    const candidates = await findCandidates(database.destinations, target, open, logger);
    const options = { output: path, target };
    const { from, report } = await restoreFromBest(candidates, options, open, logger);
    logger.info(`restored ${path} from ${from.name}`, { txid: report.txid });
  } catch (error) {
    if (!isError(error, 'RESTORE_NO_SNAPSHOT')) throw error;
    logger.info(`${path} is missing and has no backup: it starts fresh`);
  } finally {
    await open.close();
  }
}

function toTarget(destination: DestinationConfig, open: Destinations): ReplicaTarget {
  const { name, type, target } = destination;
  return { name, type, target, open: async (signal) => await open.open(destination, signal) };
}

function loggerOf(config: Config, args: Arguments): Logger {
  const level = LOG_LEVELS.find((known) => known === args.text('log-level')) ?? config.logLevel;
  const toStderr = config.logTo === 'stderr' || args.has('json');
  return createLogger({
    level,
    type: config.logType,
    stream: toStderr ? process.stderr : process.stdout,
  });
}

/** What a person should know at the start: what goes where, and what this version does not do. */
function announce(config: Config, logger: Logger): void {
  for (const { options, destinations } of config.databases) {
    const names = destinations.map(({ name, target }) => `${name} (${target})`).join(', ');
    logger.info(`replicating ${options.path} to ${names}`);
  }
  logger.info(
    'a lone commit is staged within tens of milliseconds, a busy writer’s once per sync-interval; ' +
      'what is newer than a destination’s TXID dies with this disk',
  );
  logger.info('nothing is ever deleted by this version: retention is not yet applied');
}
