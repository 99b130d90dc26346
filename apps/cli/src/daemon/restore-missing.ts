/**
 * -restore-if-db-not-exists: a database that is missing comes back first, if it has a backup.
 *
 * It goes on only when every destination has answered. One that has not may hold the newest state, or the
 * only one: a start without it would go on with an older state, or with none. So it is waited for.
 */

import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isError, loggerFor, serving } from '@sluice/core';
import { formatDuration, type Logger } from '@sluice/core/backend';
import type { Config, DatabaseConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import { askAll, describeFailure, type Answer, type NoAnswer } from '../restoring/ask.ts';
import { choose, noAnswerFrom } from '../restoring/choose.ts';
import { restoreFromBest } from '../restoring/from-best.ts';
import { sentFrom } from '../restoring/records.ts';

/** The first wait for those that do not answer; it doubles up to the maximum. */
const WAIT_MS_MIN = 1_000;
const WAIT_MS_MAX = 30_000;
const LATEST = { kind: 'latest' } as const;

export interface RestoreContext {
  /** To be read from: where `sluice restore` finds no backup, or no folder, so does this. */
  readonly open: Destinations;
  readonly logger: Logger;
  /** `fail`: the error of a destination that does not answer ends it. */
  readonly whenSilent: 'wait' | 'fail';
  readonly signal: AbortSignal;
}

/** For each database that is missing, by its path: resolves when it is restored, or may start fresh. */
export function restoreMissing(
  config: Config,
  which: 'all' | 'as-configured',
  context: RestoreContext,
): ReadonlyMap<string, Promise<void>> {
  const missing = config.databases.filter(
    ({ options, restoreIfMissing }) =>
      (which === 'all' || restoreIfMissing) && isMissing(options.path),
  );
  const restores = new OneByOne();
  return new Map(
    missing.map((database) => {
      const { path } = database.options;
      const own = { ...context, logger: loggerFor(context.logger, path) };
      return [path, serving(path, () => restoreOne(database, restores, own))];
    }),
  );
}

/** A restore uses all processors and much of the network. Those that wait for an answer wait side by side. */
class OneByOne {
  #last: Promise<unknown> = Promise.resolve();

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return await turn;
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

async function restoreOne(
  database: DatabaseConfig,
  restores: OneByOne,
  context: RestoreContext,
): Promise<void> {
  const { open, logger, signal } = context;
  const { options, destinations } = database;
  const sentTo = sentFrom(database, options.path, logger);
  for (let waitMs = WAIT_MS_MIN; ; waitMs = Math.min(waitMs * 2, WAIT_MS_MAX)) {
    const answers = await askAll({ destinations, target: LATEST, open, sentTo, signal });
    const silent = answers.filter((answer) => answer.kind === 'no-answer');
    if (!isMissing(options.path)) {
      warnOfCreated(database, logger);
      return;
    }
    if (silent.length === 0) {
      await restores.run(() => restoreFrom(answers, database, context));
      return;
    }
    if (context.whenSilent === 'fail') throw noAnswerFrom(silent);
    warnOfWait(database, silent, waitMs, logger);
    await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function restoreFrom(
  answers: readonly Answer[],
  database: DatabaseConfig,
  { open, logger, signal }: RestoreContext,
): Promise<void> {
  const { path } = database.options;
  try {
    const choice = { target: LATEST, isAttended: false, logger, signal } as const;
    const { from, report } = await restoreFromBest(
      await choose(answers, choice),
      { output: path, target: LATEST, signal },
      { open, logger, older: 'refused' },
    );
    logger.info(`${path} was missing: restored from ${from.name}`, { txid: report.txid });
  } catch (error) {
    if (isError(error, 'RESTORE_NO_SNAPSHOT')) {
      logger.info(`${path} is missing and starts fresh: ${error.message}`);
    } else if (isError(error, 'RESTORE_TARGET_EXISTS') && !isMissing(path)) {
      warnOfCreated(database, logger);
    } else throw error;
  }
}

function warnOfCreated({ options }: DatabaseConfig, logger: Logger): void {
  logger.warn(
    `${options.path} was created while it waited to be restored: it is followed as it is, without what ` +
      'its destinations hold. If that was not meant, stop, remove it, and start again',
  );
}

function warnOfWait(
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
