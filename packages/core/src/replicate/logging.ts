/**
 * Adds the field `db` to log lines. Databases share connections, so a connection cannot know which
 * database a line is about: `serving` stores it in async context while work for that database runs.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { ERROR_CODES } from '../error.ts';
import type { Logger } from '../store/backend.ts';
import type { UploadFailure } from './destination/upload-queue.ts';

type Fields = Readonly<Record<string, unknown>>;

const served = new AsyncLocalStorage<string>();

/** Runs `work`, so that errors logged meanwhile by shared parts, such as a client, name this database. Returns its result. */
export function serving<Result>(database: string, work: () => Result): Result {
  return served.run(database, work);
}

/** The database that `serving` runs for. */
export function servedDatabase(): string | undefined {
  return served.getStore();
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

/** A failed try at a destination. */
export interface FailedTry {
  /** Failures in a row. */
  readonly failures: number;
  readonly nextTryMs: number;
  /** The highest TXID at the destination, in hex digits. */
  readonly highest: string;
}

/** A conflict is logged with the TXID of the other writer. */
export function logFailure(
  {
    name,
    target,
    logger,
  }: { readonly name: string; readonly target: string; readonly logger: Logger },
  { code, message }: UploadFailure,
  { failures, nextTryMs, highest }: FailedTry,
): void {
  const fields = { target, code, failures, nextTryMs };
  if (code === 'REPLICA_CONFLICT') {
    const what = 'another writer is active there, so it will be listed again';
    logger.error(`${name}: ${what}: ${message}`, { ...fields, highest });
    return;
  }
  logger[ERROR_CODES[code].retryable ? 'warn' : 'error'](`${name}: ${message}`, fields);
}
