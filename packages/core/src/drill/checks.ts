/** Checks a restored database on read-only connections: SQLite's own check, and assertions of the user. */

import Database from 'better-sqlite3';
import { messageOf } from '../error.ts';
import type { IntegrityCheck } from '../restore/integrity.ts';

export interface AssertionResult {
  readonly sql: string;
  /** Why it does not hold, as a predicate; undefined if it holds. */
  readonly failure: string | undefined;
}

/** SQLite's first complaint; undefined if it has none, or if nothing is checked. */
export function findCorruption(file: string, check: IntegrityCheck): string | undefined {
  if (check === 'none') return undefined;
  const pragma = check === 'quick' ? 'quick_check' : 'integrity_check';
  try {
    const answer = withDatabase(file, (database) =>
      String(database.pragma(`${pragma}(1)`, { simple: true })),
    );
    return answer === 'ok' ? undefined : `PRAGMA ${pragma}: ${answer}`;
  } catch (error) {
    return `PRAGMA ${pragma}: ${messageOf(error)}`;
  }
}

/**
 * An assertion holds if the first column of its first row is neither NULL, 0 nor empty. An SQL error is
 * a failure of that assertion.
 */
export function runAssertions(file: string, assertions: readonly string[]): AssertionResult[] {
  return assertions.map((sql) => {
    try {
      return { sql, failure: withDatabase(file, (database) => findFailure(database, sql)) };
    } catch (error) {
      return { sql, failure: `failed: ${messageOf(error)}` };
    }
  });
}

function findFailure(database: Database.Database, sql: string): string | undefined {
  const row = database.prepare(sql).raw().get() as readonly unknown[] | undefined;
  if (row === undefined) return 'returned no row';
  const [value] = row;
  if (value === null) return 'returned NULL';
  if (value === 0 || value === '0') return 'returned 0';
  const isEmpty = value === '' || (value instanceof Uint8Array && value.length === 0);
  return isEmpty ? 'returned an empty value' : undefined;
}

/** One connection for each use: a statement may change the state of its connection. */
function withDatabase<Result>(file: string, use: (database: Database.Database) => Result): Result {
  const database = new Database(file, { readonly: true, fileMustExist: true });
  try {
    return use(database);
  } finally {
    database.close();
  }
}
