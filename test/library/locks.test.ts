/**
 * Why `openSluice` replicates from a process of its own. POSIX locks belong to a process, not to a connection:
 * closing any descriptor of a file drops all locks that the process has on it. One copy of SQLite knows this and
 * keeps its descriptors open; two copies do not know of each other.
 */

import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { openApp } from './support.ts';

const WRITE = `
  const { DatabaseSync } = require('node:sqlite');
  const db = new DatabaseSync(process.argv[1], { timeout: 0 });
  try { db.exec('INSERT INTO t DEFAULT VALUES'); console.log('written'); }
  catch (error) { console.log(error.message); }
`;

/** Tries to write from another process. */
function writeElsewhere(app: string): string {
  return execFileSync(process.execPath, ['-e', WRITE, app], { encoding: 'utf8' }).trim();
}

/** A database with a write transaction that is open. */
function inTransaction(app: string): Database.Database {
  const db = new Database(app);
  onTestFinished(() => void db.close());
  db.pragma('journal_mode = wal');
  db.exec('CREATE TABLE t (v INTEGER PRIMARY KEY); BEGIN IMMEDIATE');
  return db;
}

test('a second copy of SQLite in one process drops the write lock of the first', () => {
  const app = path.join(temporaryFolder('library'), 'app.db');
  inTransaction(app);
  expect(writeElsewhere(app)).toBe('database is locked');
  const other = new DatabaseSync(app);
  other.prepare('SELECT count(*) FROM t').get();
  other.close();
  expect(writeElsewhere(app)).toBe('written'); // two writers at once
});

test('openSluice keeps the locks of the application', async () => {
  const folder = temporaryFolder('library');
  const app = path.join(folder, 'app.db');
  const db = inTransaction(app);
  const sluice = await openApp(folder);
  db.exec('INSERT INTO t DEFAULT VALUES; COMMIT');
  await sluice.database(app).durable();
  db.exec('BEGIN IMMEDIATE');
  await sluice.close(); // closes the file in its process
  expect(writeElsewhere(app)).toBe('database is locked');
});
