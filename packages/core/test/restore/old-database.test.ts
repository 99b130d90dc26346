/** Before its WAL is removed, a database that a restore replaces is complete without it. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { checkpointOldDatabase } from '../../src/restore/old-database.ts';
import { temporaryFolder } from './temporary.ts';

const signal = new AbortController().signal;

/** A database in WAL mode whose only row is in the WAL, and the connection that keeps it there. */
function newDatabase(): { file: string; application: Database.Database } {
  const file = path.join(temporaryFolder(), 'app.db');
  const application = new Database(file);
  application.pragma('journal_mode = wal');
  application.exec(
    'CREATE TABLE t(a); CREATE TABLE u(a); PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (1)',
  );
  onTestFinished(() => void application.close());
  return { file, application };
}

/** Rows of the file alone, without the files next to it. */
function rowsWithoutLog(file: string, table = 't'): unknown {
  const copy = path.join(temporaryFolder(), 'copy.db');
  fs.copyFileSync(file, copy);
  const database = new Database(copy);
  onTestFinished(() => void database.close());
  return database.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
}

function settle(file: string, timeoutMs = 10_000): Promise<void> {
  return checkpointOldDatabase(file, { signal, clock: systemClock, timeoutMs });
}

test('the WAL is checkpointed while another connection is idle', async () => {
  const { file } = newDatabase();
  expect(rowsWithoutLog(file)).toBe(0);
  await settle(file);
  expect(rowsWithoutLog(file)).toBe(1);
  expect(fs.statSync(`${file}-wal`).size).toBe(0);
});

test('waits for a reader to end', async () => {
  const { file, application } = newDatabase();
  const reader = new Database(file);
  onTestFinished(() => void reader.close());
  reader.exec('BEGIN; SELECT * FROM t');
  application.exec('INSERT INTO u VALUES (1)');
  const settled = settle(file);
  await expect.poll(() => rowsWithoutLog(file)).toBe(1); // as far as the reader allows
  expect(rowsWithoutLog(file, 'u')).toBe(0);
  reader.exec('COMMIT');
  await settled;
  expect(rowsWithoutLog(file, 'u')).toBe(1);
});

test.each(['BEGIN; SELECT * FROM t', 'BEGIN IMMEDIATE'])(
  'a connection that stays inside %s is reported as using it, and nothing is lost',
  async (statement) => {
    const { file, application } = newDatabase();
    const other = new Database(file);
    onTestFinished(() => void other.close());
    other.exec(statement);
    if (!statement.endsWith('IMMEDIATE')) application.exec('INSERT INTO t VALUES (2)');
    const before = application.prepare('SELECT count(*) FROM t').pluck().get();
    await expect(settle(file, 0)).rejects.toThrow(
      expect.objectContaining({
        code: 'DATABASE_BUSY',
        message: expect.stringContaining(
          'stop the processes that have it open, and restore again',
        ) as string,
      }),
    );
    expect(application.prepare('SELECT count(*) FROM t').pluck().get()).toBe(before);
    expect(fs.statSync(`${file}-wal`).size).toBeGreaterThan(0);
  },
);

test('an abort ends the wait with its reason', async () => {
  const { file } = newDatabase();
  const other = new Database(file);
  onTestFinished(() => void other.close());
  other.exec('BEGIN IMMEDIATE');
  const reason = new Error('enough');
  const settling = checkpointOldDatabase(file, {
    signal: AbortSignal.abort(reason),
    clock: systemClock,
  });
  await expect(settling).rejects.toBe(reason);
});

test.each([
  ['a text', 'no database'.repeat(1_000)],
  ['a few bytes', 'no'],
  ['nothing', ''],
])('%s with files next to it has no WAL to lose', async (_, text) => {
  const file = path.join(temporaryFolder(), 'app.db');
  fs.writeFileSync(file, text);
  for (const side of ['-wal', '-journal']) fs.writeFileSync(file + side, 'unrelated');
  await settle(file);
  expect(fs.readFileSync(file, 'utf8')).toBe(text);
});

test('a WAL without a database is ignored', async () => {
  const file = path.join(temporaryFolder(), 'app.db');
  fs.writeFileSync(`${file}-wal`, 'a log');
  await settle(file);
  expect(fs.existsSync(file)).toBe(false);
});
