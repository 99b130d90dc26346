/** An assertion that is a mistake is told from one that only the backup breaks. */

import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import type { LiveState } from '../../src/drill/live.ts';
import { findSyntaxError, withMistakes } from '../../src/drill/mistakes.ts';
import { temporaryFolder } from '../restore/temporary.ts';

test.each([
  ['SELECT count(*) FROM orders', undefined],
  ['SELECT own_function(x) FROM orders', undefined],
  ['PRAGMA user_version', undefined],
  ['SELEC 1', /syntax error/],
  ['SELECT count(* FROM orders', /syntax error/],
  ['SELECT (', /incomplete input/],
  ["SELECT 'open", /unrecognized token/],
  ['SELECT 1; SELECT 2', /more than one statement/],
  ['', /no statements/],
  ['CREATE TABLE t (x)', /returns no rows/],
])('%j', async (sql, error) => {
  const found = await findSyntaxError(sql);
  if (error === undefined) expect(found).toBeUndefined();
  else expect(found).toMatch(error);
});

const MISSING = { sql: 'SELECT 1 FROM missing', failure: 'no such table', invalid: true } as const;
const LATER = { sql: 'SELECT 1 FROM later', failure: 'no such table', invalid: true } as const;
const BROKEN = { sql: 'SELECT 0', failure: 'returned 0' };

const invalidOf = async (file: string | undefined, live?: LiveState): Promise<readonly string[]> =>
  (await withMistakes([MISSING, BROKEN, LATER], file, live)).flatMap((each) =>
    each.invalid === true ? [each.sql] : [],
  );

test('what the live database does not accept either is a mistake', async () => {
  const file = path.join(temporaryFolder(), 'app.db');
  const application = new Database(file);
  onTestFinished(() => void application.close());
  application.pragma('journal_mode = WAL');
  application.exec('CREATE TABLE later (x)'); // its backup does not have it: that is a failure
  expect(await invalidOf(file)).toEqual([MISSING.sql]);
  application.close();
  expect(await invalidOf(file)).toEqual([]);
});

test('without a log or without a live database, only an equal copy tells', async () => {
  const at = { kind: 'at', txid: 1n, lineage: 1n } as const;
  const equal: LiveState = { ...at, comparison: { kind: 'equal', pages: 1, skipped: 0 } };
  const other: LiveState = { ...at, comparison: undefined };
  const file = path.join(temporaryFolder(), 'app.db');
  expect(await invalidOf(file, equal)).toEqual([MISSING.sql, LATER.sql]);
  expect(await invalidOf(file, other)).toEqual([]);
  expect(await invalidOf(undefined)).toEqual([]);
});
