import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { checkRestored, type AssertionResult } from '../../src/drill/checks.ts';
import { isObstacle, isObstacleComplaint } from '../../src/restore/sqlite-obstacle.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const runAssertions = (file: string, assertions: string[]): readonly AssertionResult[] =>
  checkRestored(file, 'none', assertions).assertions;
const findCorruption = (file: string, check: 'none' | 'quick' | 'full'): string | undefined =>
  checkRestored(file, check, []).corruption;

function makeDatabase(): string {
  const file = path.join(temporaryFolder(), 'app.db');
  const database = new Database(file);
  database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE INDEX i ON t (v)');
  const insert = database.prepare('INSERT INTO t(v) VALUES (?)');
  database.transaction(() => {
    for (let row = 0; row < 200; row += 1) insert.run(`row ${row}`);
  })();
  database.close();
  return file;
}

test.each([
  ['SELECT count(*) FROM t', undefined],
  ["SELECT 'yes'", undefined],
  ['SELECT -1', undefined],
  ["SELECT x'00'", undefined],
  ['SELECT 1, NULL', undefined],
  ['SELECT NULL', 'returned NULL'],
  ['SELECT 0', 'returned 0'],
  ['SELECT 0.0', 'returned 0'],
  ["SELECT '0'", 'returned 0'],
  ["SELECT ''", 'returned an empty value'],
  ["SELECT x''", 'returned an empty value'],
  ['SELECT 1 WHERE 0', 'returned no row'],
])('%s', (sql, failure) => {
  expect(runAssertions(makeDatabase(), [sql])).toEqual([{ sql, failure }]);
});

test.each([
  ['SELECT v FROM nowhere', 'failed: no such table: nowhere'],
  ['DELETE FROM t', 'failed: it returns no rows'],
])('%s is not valid there', (sql, failure) => {
  expect(runAssertions(makeDatabase(), [sql])).toEqual([{ sql, failure, invalid: true }]);
});

test('an assertion changes nothing, and does not prevent the next one', () => {
  const file = makeDatabase();
  const before = fs.readFileSync(file);
  const results = runAssertions(file, [
    'DELETE FROM t RETURNING id',
    `VACUUM INTO '${file}.copy'`,
    'SELECT 1; SELECT 2',
    'SELECT 1',
  ]);
  expect(results.map(({ failure }) => failure !== undefined)).toEqual([true, true, true, false]);
  expect(fs.readFileSync(file).equals(before)).toBe(true);
  expect(fs.readdirSync(path.dirname(file))).toEqual(['app.db']);
});

test('corruption that only the full check sees, and corruption that both see', () => {
  const file = makeDatabase();
  expect(findCorruption(file, 'quick')).toBeUndefined();
  expect(findCorruption(file, 'full')).toBeUndefined();
  const bytes = fs.readFileSync(file);
  const at = bytes.lastIndexOf('row 199'); // in the table or in its index
  bytes.write('row 198', at);
  fs.writeFileSync(file, bytes);
  expect(findCorruption(file, 'quick')).toBeUndefined();
  expect(findCorruption(file, 'full')).toMatch(/^PRAGMA integrity_check: /);
  bytes.fill(0xff, 4096, 4096 + 64);
  fs.writeFileSync(file, bytes);
  expect(findCorruption(file, 'quick')).toMatch(/^PRAGMA quick_check: /);
  expect(findCorruption(file, 'none')).toBeUndefined();
});

/** In WAL mode. SQLite cannot create its log, because there is a folder of that name. */
function makeUnreadable(): string {
  const file = makeDatabase();
  const database = new Database(file);
  database.pragma('journal_mode = wal');
  database.close();
  fs.mkdirSync(`${file}-wal`);
  return file;
}

test('a check or an assertion that SQLite cannot make is neither corruption nor a failure', () => {
  const file = makeUnreadable();
  expect(checkRestored(file, 'quick', ['SELECT 1 FROM t'])).toEqual({
    corruption: undefined,
    assertions: [],
    obstacle: 'PRAGMA quick_check: unable to open database file',
  });
  expect(checkRestored(file, 'none', ['SELECT 1 FROM t'])).toEqual({
    corruption: undefined,
    assertions: [],
    obstacle: 'the assertion "SELECT 1 FROM t": unable to open database file',
  });
});

test.each([
  ['SQLITE_FULL', true],
  ['SQLITE_IOERR_SHMSIZE', true],
  ['SQLITE_CANTOPEN', true],
  ['SQLITE_READONLY_CANTINIT', true],
  ['SQLITE_NOMEM', true],
  ['SQLITE_CORRUPT', false],
  ['SQLITE_NOTADB', false],
  ['SQLITE_ERROR', false],
])('%s is an obstacle: %s', (code, expected) => {
  expect(isObstacle(Object.assign(new Error('m'), { code }))).toBe(expected);
});

test.each([
  ['Tree 2 page 3: unable to get the page. error code=266', true], // SQLITE_IOERR_READ
  ['Tree 2 page 3: unable to get the page. error code=11', false],
  ['row 1 missing from index i', false],
])('"%s" is an obstacle: %s', (complaint, expected) => {
  expect(isObstacleComplaint(complaint)).toBe(expected);
});
