/**
 * Every line of the log names the database that it is about. Lines of ours get the field `db` from
 * `loggerFor`. Databases share connections, and what a connection logs is about the one that is
 * being served: `serving` remembers it through all that is awaited.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { isError, messageOf } from '../error.ts';
import type { Logger } from '../store/backend.ts';

type Fields = Readonly<Record<string, unknown>>;

const served = new AsyncLocalStorage<string>();

export function serving<Result>(database: string, work: () => Result): Result {
  return served.run(database, work);
}

/** A logger whose lines carry the field `db`: `database`, or the one that is being served. */
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
