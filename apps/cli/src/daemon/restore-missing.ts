/**
 * -restore-if-db-not-exists: restores missing databases that have a backup before replication
 * starts.
 *
 * It waits until every destination has answered. A destination that has not may hold the newest
 * state, or the only one. Without it, replication could continue from an older state, or from none.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { isError, isMissing, loggerFor, serving } from '@sluice/core';
import { formatDuration } from '@sluice/core/config';
import type { Logger } from '@sluice/core/backend';
import type { Config, DatabaseConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import { surveyAll, describeFailure, type Answer, type Unanswered } from '../restoring/survey.ts';
import { choose, unansweredError } from '../restoring/choose.ts';
import { restoreFromBest } from '../restoring/from-best.ts';
import { recordOrigin } from '../restoring/origin.ts';
import { sentFrom } from '../restoring/records.ts';

/** First delay before destinations are asked again; it doubles up to the maximum. */
const WAIT_MS_MIN = 1_000;
const WAIT_MS_MAX = 30_000;
const LATEST = { kind: 'latest' } as const;

export interface RestoreContext {
  /** Opened for reading. */
  readonly connections: Destinations;
  readonly logger: Logger;
  /** `fail`: throw the error of a destination that does not answer. */
  readonly onUnanswered: 'wait' | 'fail';
  readonly signal: AbortSignal;
}

/**
 * One promise per missing database, by its path. It resolves when the database was restored or may
 * start empty.
 */
export function restoreMissing(
  databases: Config['databases'],
  which: 'all' | 'as-configured',
  context: RestoreContext,
): ReadonlyMap<string, Promise<void>> {
  const missing = databases.filter(
    ({ options, restoreIfMissing }) =>
      (which === 'all' || restoreIfMissing) && isMissing(options.path),
  );
  const restores = new SerialQueue();
  return new Map(
    missing.map((database) => {
      const { path } = database.options;
      const own = { ...context, logger: loggerFor(context.logger, path) };
      return [path, serving(path, () => restoreOne(database, restores, own))];
    }),
  );
}

/**
 * Restores run one at a time, because each uses all processors. Waiting for answers happens in
 * parallel.
 */
class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return await turn;
  }
}

async function restoreOne(
  database: DatabaseConfig,
  restores: SerialQueue,
  context: RestoreContext,
): Promise<void> {
  const { connections, logger, signal } = context;
  const { options, destinations } = database;
  const sentTo = sentFrom(database, options.path, logger);
  for (let waitMs = WAIT_MS_MIN; ; waitMs = Math.min(waitMs * 2, WAIT_MS_MAX)) {
    const answers = await surveyAll({ destinations, target: LATEST, connections, sentTo, signal });
    const unanswered = answers.filter((answer) => answer.kind === 'unanswered');
    if (!isMissing(options.path)) {
      warnOfCreated(database, logger);
      return;
    }
    if (unanswered.length === 0) {
      await restores.run(() => restoreFrom(answers, database, context));
      return;
    }
    if (context.onUnanswered === 'fail') throw unansweredError(unanswered);
    warnOfWait(database, unanswered, waitMs, logger);
    await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function restoreFrom(
  answers: readonly Answer[],
  database: DatabaseConfig,
  { logger, signal }: RestoreContext,
): Promise<void> {
  const { path } = database.options;
  try {
    const choice = {
      target: LATEST,
      across: 'allowed',
      isAttended: false,
      logger,
      signal,
    } as const;
    const restored = await restoreFromBest(
      await choose(answers, choice),
      { output: path, target: LATEST, signal },
      { logger, older: 'refused' },
    );
    await recordOrigin(path, restored, { logger, signal });
    const { from, report } = restored;
    const { timestamp } = report;
    const state =
      'txid' in report
        ? { txid: report.txid }
        : { generation: report.generation, position: report.position, timestamp };
    logger.info(`${path} was missing: restored from ${from.name}`, state);
  } catch (error) {
    if (isError(error, 'RESTORE_NO_SNAPSHOT')) {
      logger.info(`${path} is missing and starts empty: ${error.message}`);
    } else if (isError(error, 'RESTORE_TARGET_EXISTS') && !isMissing(path)) {
      warnOfCreated(database, logger);
    } else throw error;
  }
}

function warnOfCreated({ options }: DatabaseConfig, logger: Logger): void {
  logger.warn(
    `${options.path} was created before it could be restored: replication starts from this file, without the ` +
      'data at its destinations. If you did not intend this, stop Sluice, remove the file, and start again',
  );
}

function warnOfWait(
  { options }: DatabaseConfig,
  unanswered: readonly Unanswered[],
  waitMs: number,
  logger: Logger,
): void {
  for (const { destination, error } of unanswered) {
    const { message, code } = describeFailure(error);
    logger.warn(
      `${options.path} is missing. Sluice waits for ${destination.name}, which may hold its newest state: ${message}`,
      { code, target: destination.target, nextTry: formatDuration(waitMs) },
    );
  }
}
