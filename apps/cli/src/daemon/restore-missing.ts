/**
 * -restore-if-db-not-exists: a database that is missing comes back first, if it has a backup.
 *
 * It goes on only when every destination has answered. One that has not may hold the newest state, or the
 * only one: a start without it would go on with an older state, or with none. So it is waited for.
 */

import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isError } from '@sluice/core';
import { formatDuration, type Logger } from '@sluice/core/backend';
import type { Config, DatabaseConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { askAll, describeFailure, type NoAnswer } from '../restoring/ask.ts';
import { choose, noAnswerFrom } from '../restoring/choose.ts';
import { restoreFromBest } from '../restoring/from-best.ts';
import { sentFrom } from '../restoring/records.ts';

/** The first wait for those that do not answer; it doubles up to the maximum. */
const WAIT_MS_MIN = 1_000;
const WAIT_MS_MAX = 30_000;

export interface RestoreContext {
  readonly logger: Logger;
  /** `fail`: the error of a destination that does not answer ends it. */
  readonly whenSilent: 'wait' | 'fail';
  readonly signal: AbortSignal;
}

export async function restoreMissing(
  config: Config,
  which: 'all' | 'as-configured',
  context: RestoreContext,
): Promise<void> {
  const { logger, signal } = context;
  let missing = config.databases.filter(
    ({ options, restoreIfMissing }) =>
      (which === 'all' || restoreIfMissing === 'yes') && isMissing(options.path),
  );
  if (missing.length === 0) return;
  // As `sluice restore` opens them: where that finds no backup, or no folder, so does this.
  await using open = new Destinations(logger, 'read');
  for (let waitMs = WAIT_MS_MIN; ; waitMs = Math.min(waitMs * 2, WAIT_MS_MAX)) {
    const waiting: DatabaseConfig[] = [];
    for (const database of missing) {
      const silent = await restoreOne(database, open, context);
      if (silent.length === 0) continue;
      waiting.push(database);
      tellWait(database, silent, waitMs, logger);
    }
    if (waiting.length === 0) return;
    missing = waiting;
    await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** An empty file is no database. What cannot be looked at is not known to be missing. */
function isMissing(file: string): boolean {
  try {
    return fs.statSync(file).size === 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

/** Gives those that have to be waited for. */
async function restoreOne(
  database: DatabaseConfig,
  open: Destinations,
  { logger, whenSilent, signal }: RestoreContext,
): Promise<readonly NoAnswer[]> {
  const { options, destinations } = database;
  const { path } = options;
  const target = { kind: 'latest' } as const;
  const sentTo = sentFrom(database, path, logger);
  const answers = await askAll({ destinations, target, open, sentTo, signal });
  const silent = answers.filter((answer) => answer.kind === 'no-answer');
  if (silent.length > 0) {
    if (whenSilent === 'fail') throw noAnswerFrom(silent);
    return silent;
  }
  try {
    const candidates = await choose(answers, { target, watchedBy: 'nobody', logger, signal });
    const { from, report } = await restoreFromBest(
      candidates,
      { output: path, target, signal },
      { open, logger, older: 'refused' },
    );
    logger.info(`${path} was missing: restored from ${from.name}`, { txid: report.txid });
  } catch (error) {
    if (!isError(error, 'RESTORE_NO_SNAPSHOT')) throw error;
    logger.info(`${path} is missing and starts fresh: ${error.message}`);
  }
  return [];
}

function tellWait(
  { options }: DatabaseConfig,
  silent: readonly NoAnswer[],
  waitMs: number,
  logger: Logger,
): void {
  for (const { destination, error } of silent) {
    const { message, code } = describeFailure(error);
    logger.warn(
      `${options.path} is missing, and waits for ${destination.name}, which may hold its newest state: ${message}`,
      { code, target: destination.target, nextTry: formatDuration(waitMs) },
    );
  }
}
