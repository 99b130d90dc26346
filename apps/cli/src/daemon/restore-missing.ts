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
import { Turns } from './turns.ts';

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
  /** A missing database was restored, or has no backup and starts empty. */
  readonly onResult?: ((path: string, result: StartRestore) => void) | undefined;
  readonly signal: AbortSignal;
}

/** What became of a database that was missing at the start. */
export type StartRestore =
  | { readonly kind: 'restored'; readonly seconds: number }
  | { readonly kind: 'empty' };

/** The rejection of a restore whose database is not wanted any more: a command has stopped it, for example. */
export class CancelledRestore extends Error {}

/** All restores of a process. They run one at a time, because each uses all processors. */
const ALL = '';

export class MissingDatabases {
  readonly #which: 'all' | 'as-configured';
  readonly #context: RestoreContext;
  readonly #turns = new Turns();
  readonly #pending = new Map<
    string,
    { readonly abort: AbortController; readonly done: Promise<void> }
  >();

  constructor(which: 'all' | 'as-configured', context: RestoreContext) {
    this.#which = which;
    this.#context = context;
  }

  /**
   * Begins to restore those that are missing. One promise for each, by its path. It resolves when the database was restored
   * or may start empty. Destinations are asked in parallel.
   */
  restore(databases: Config['databases']): ReadonlyMap<string, Promise<void>> {
    const missing = databases.filter(
      ({ options, restoreIfMissing }) =>
        (this.#which === 'all' || restoreIfMissing) && isMissing(options.path),
    );
    return new Map(missing.map((database) => [database.options.path, this.#begin(database)]));
  }

  /** Ends the restore of a database, if one is pending. Afterwards nothing is written to its path. */
  async cancel(path: string): Promise<void> {
    const pending = this.#pending.get(path);
    pending?.abort.abort(new CancelledRestore(`the restore of ${path} was cancelled`));
    await pending?.done.catch(() => undefined);
  }

  async #begin(database: DatabaseConfig): Promise<void> {
    const { path } = database.options;
    const abort = new AbortController();
    const signal = AbortSignal.any([this.#context.signal, abort.signal]);
    const own = { ...this.#context, signal, logger: loggerFor(this.#context.logger, path) };
    const done = serving(path, () => restoreOne(database, this.#turns, own));
    const pending = { abort, done };
    this.#pending.set(path, pending);
    try {
      await done;
    } finally {
      if (this.#pending.get(path) === pending) this.#pending.delete(path);
    }
  }
}

async function restoreOne(
  database: DatabaseConfig,
  turns: Turns,
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
      await turns.run(ALL, () => restoreFrom(answers, database, context), signal);
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
  { logger, signal, onResult }: RestoreContext,
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
    onResult?.(path, { kind: 'restored', seconds: report.durationMs / 1_000 });
    logger.info(`${path} was missing: restored from ${from.name}`, state);
  } catch (error) {
    if (isError(error, 'RESTORE_NO_SNAPSHOT')) {
      onResult?.(path, { kind: 'empty' });
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
