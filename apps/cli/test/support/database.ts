/** The application: a database without Sluice. */

import Database from 'better-sqlite3';

/** Creates the database in WAL mode if it is missing, and adds rows, each in its own transaction. */
export function addRows(file: string, count: number): void {
  const database = new Database(file);
  database.pragma('journal_mode = wal');
  database.exec('CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)');
  const insert = database.prepare('INSERT INTO notes (text) VALUES (?)');
  for (let row = 0; row < count; row += 1) insert.run(`note ${row}`);
  database.close();
}

/** An open connection, which keeps the WAL. The caller closes it. */
export function openApplication(file: string): { addRow(): void; close(): void } {
  const database = new Database(file);
  database.pragma('journal_mode = wal');
  database.exec('CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)');
  const insert = database.prepare('INSERT INTO notes (text) VALUES (?)');
  return { addRow: () => void insert.run('note'), close: () => void database.close() };
}

export function countRows(file: string): number {
  const database = new Database(file, { readonly: true });
  try {
    return (database.prepare('SELECT count(*) AS count FROM notes').get() as { count: number })
      .count;
  } finally {
    database.close();
  }
}

/** All pages, as SQLite reads them. */
export function imageOf(file: string): Buffer {
  const database = new Database(file, { readonly: true });
  try {
    return database.serialize();
  } finally {
    database.close();
  }
}
