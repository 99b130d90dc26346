/** Checks a restored database on read-only connections: SQLite's own check, and assertions of the user. */

import Database from 'better-sqlite3';
import { messageOf } from '../error.ts';
import type { IntegrityCheck } from '../restore/integrity.ts';
import { refusalOf } from './mistakes.ts';
import { isObstacle, isObstacleComplaint } from '../restore/sqlite-obstacle.ts';

export interface AssertionResult {
  readonly sql: string;
  /** Why it does not hold, as a predicate; undefined if it holds. */
  readonly failure: string | undefined;
  /** SQLite does not accept it, for the restored database or for the live one: it is a mistake (mistakes.ts). */
  readonly invalid?: true | undefined;
}

/** The results of all checks, as far as they got. */
export interface Checks {
  /** SQLite's first complaint. Then the assertions did not run. */
  readonly corruption: string | undefined;
  readonly assertions: readonly AssertionResult[];
  /** What prevented a check. It says nothing about the database. */
  readonly obstacle: string | undefined;
}

/** `onStep` gets the name of each check before it begins. */
export function checkRestored(
  file: string,
  check: IntegrityCheck,
  assertions: readonly string[],
  onStep: (step: string) => void = () => undefined,
): Checks {
  const results: AssertionResult[] = [];
  try {
    if (check !== 'none') onStep(`PRAGMA ${pragmaOf(check)}`);
    const corruption = findCorruption(file, check);
    if (corruption !== undefined) return { corruption, assertions: [], obstacle: undefined };
    for (const sql of assertions) {
      onStep(`the assertion ${JSON.stringify(sql)}`);
      results.push(runAssertion(file, sql));
    }
    return { corruption, assertions: results, obstacle: undefined };
  } catch (error) {
    if (!(error instanceof ObstacleError)) throw error;
    return { corruption: undefined, assertions: results, obstacle: error.message };
  }
}

/** A check that could not be made. */
class ObstacleError extends Error {}

/** SQLite's first complaint; undefined if it has none, or if nothing is checked. */
function findCorruption(file: string, check: IntegrityCheck): string | undefined {
  if (check === 'none') return undefined;
  const pragma = pragmaOf(check);
  try {
    const answer = withDatabase(file, (database) =>
      String(database.pragma(`${pragma}(1)`, { simple: true })),
    );
    if (answer === 'ok') return undefined;
    if (isObstacleComplaint(answer)) throw new ObstacleError(`PRAGMA ${pragma}: ${answer}`);
    return `PRAGMA ${pragma}: ${answer}`;
  } catch (error) {
    if (error instanceof ObstacleError) throw error;
    if (isObstacle(error)) throw new ObstacleError(`PRAGMA ${pragma}: ${messageOf(error)}`);
    return `PRAGMA ${pragma}: ${messageOf(error)}`;
  }
}

function pragmaOf(check: Exclude<IntegrityCheck, 'none'>): string {
  return check === 'quick' ? 'quick_check' : 'integrity_check';
}

/**
 * An assertion holds if the first column of its first row is neither NULL, 0 nor empty. An SQL error is
 * a failure of that assertion.
 */
function runAssertion(file: string, sql: string): AssertionResult {
  try {
    return withDatabase(file, (database) => {
      const refusal = refusalOf(database, sql);
      if (refusal !== undefined) {
        return { sql, failure: `failed: ${refusal.message}`, invalid: true };
      }
      return { sql, failure: findFailure(database, sql) };
    });
  } catch (error) {
    const message = messageOf(error);
    if (!isObstacle(error)) return { sql, failure: `failed: ${message}` };
    throw new ObstacleError(`the assertion ${JSON.stringify(sql)}: ${message}`);
  }
}

function findFailure(database: Database.Database, sql: string): string | undefined {
  const statement = database.prepare(sql);
  let row: readonly unknown[] | undefined;
  try {
    row = statement.raw().get() as readonly unknown[] | undefined;
  } catch (error) {
    if (statement.readonly) throw error;
    return `failed: ${messageOf(error)}`; // the connection refuses it: no obstacle
  }
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
