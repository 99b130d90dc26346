/**
 * Adds the field `db` to log lines. Databases share connections, so a connection cannot know which
 * database a line is about: `serving` stores it in async context while work for that database runs.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { isError, messageOf } from '../error.ts';
import type { Logger } from '../store/backend.ts';

type Fields = Readonly<Record<string, unknown>>;

const served = new AsyncLocalStorage<string>();

/** Runs `work`, so that errors logged meanwhile by shared parts, such as a client, name this database. Returns its result. */
export function serving<Result>(database: string, work: () => Result): Result {
  return served.run(database, work);
}

/** A logger that adds the field `db`: `database`, or else the database from `serving`. */
export function loggerFor(logger: Logger, database?: string): Logger {
  const named = (fields: Fields = {}): Fields => {
    const db = database ?? served.getStore();
    return db === undefined || 'db' in fields ? fields : { ...fields, db };
  };
  return {
    debug: (message, fields) => logger.debug(message, named(fields)),
    info: (message, fields) => logger.info(message, named(fields)),
    warn: (message, fields) => logger.warn(message, named(fields)),
    error: (message, fields) => logger.error(message, named(fields)),
  };
}

export function logError(logger: Logger, error: unknown): void {
  logger.error(messageOf(error), { code: isError(error) ? error.code : undefined });
}
