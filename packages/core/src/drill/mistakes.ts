/**
 * Tells an assertion that is a mistake from one that a backup breaks. A query that SQLite does not accept is a mistake if
 * its syntax is wrong, or if the live database does not accept it either. A table that only the backup lacks is its failure.
 */

import type { Options } from 'better-sqlite3';
import fs from 'node:fs';
import type { AssertionResult } from './checks.ts';
import type { LiveState } from './live.ts';

/** What SQLite says about a text that is no query, whatever the tables are. */
const SYNTAX = /syntax error|incomplete input|unrecognized token/;
const BUSY_MS_MAX = 1_000;

/** Why the text can be no assertion, as a predicate; undefined if that depends on the database. */
export async function findSyntaxError(sql: string): Promise<string | undefined> {
  const { default: Connection } = await import('better-sqlite3'); // takes time to load
  const connection = new Connection(':memory:');
  try {
    const refusal = refusalOf(connection, sql);
    return refusal?.kind === 'no query' || SYNTAX.test(refusal?.message ?? '')
      ? refusal?.message
      : undefined;
  } finally {
    connection.close();
  }
}

export interface Refusal {
  /** 'no query': more than one statement, none, or one that returns nothing. */
  readonly kind: 'no query' | 'not accepted';
  readonly message: string;
}

/** A connection; the types of its package need not be installed. */
interface Connected {
  prepare(sql: string): { readonly reader: boolean };
}

/** undefined if SQLite accepts it. Throws if it cannot say. */
export function refusalOf(database: Connected, sql: string): Refusal | undefined {
  try {
    const { reader } = database.prepare(sql);
    return reader ? undefined : { kind: 'no query', message: 'it returns no rows' };
  } catch (error) {
    return toRefusal(error);
  }
}

/** Throws every error that is not about the text. */
function toRefusal(error: unknown): Refusal {
  const isOfBinding = error instanceof RangeError || error instanceof TypeError;
  if (isOfBinding) return { kind: 'no query', message: error.message };
  const { code, message } = error as { readonly code?: unknown; readonly message: string };
  if (code === 'SQLITE_ERROR') return { kind: 'not accepted', message };
  throw error;
}

/** The same results: of those that the restored database does not accept, only mistakes stay `invalid`. */
export async function withMistakes(
  assertions: readonly AssertionResult[],
  livePath: string | undefined,
  live: LiveState | undefined,
): Promise<readonly AssertionResult[]> {
  const refusals = assertions.filter(({ invalid }) => invalid === true);
  if (refusals.length === 0) return assertions;
  const isMistake = await judgeBy(livePath, live);
  return assertions.map((each) => {
    const { invalid: _, ...rest } = each;
    return each.invalid === true && isMistake(each.sql) ? each : rest;
  });
}

async function judgeBy(
  file: string | undefined,
  live: LiveState | undefined,
): Promise<(sql: string) => boolean> {
  if (file === undefined) return () => false;
  // A connection to a database without a log would leave one beside it. Then an equal copy says the same.
  const isEqual = live?.kind === 'at' && live.comparison?.kind === 'equal';
  const hasLog = (fs.statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (!hasLog) return () => isEqual;
  const { default: Connection } = await import('better-sqlite3');
  const options: Options = { readonly: true, fileMustExist: true, timeout: BUSY_MS_MAX };
  return (sql) => {
    try {
      const connection = new Connection(file, options);
      try {
        return refusalOf(connection, sql) !== undefined;
      } finally {
        connection.close();
      }
    } catch {
      return false; // not known: it counts as a failure of the backup
    }
  };
}
