/** The application's side: a database that knows nothing of Sluice. */

import Database from 'better-sqlite3';

/** Creates it where it is not there, in WAL mode, and adds rows, each in a transaction of its own. */
export function addRows(file: string, count: number): void {
  const database = new Database(file);
  database.pragma('journal_mode = wal');
  database.exec('CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)');
  const insert = database.prepare('INSERT INTO notes (text) VALUES (?)');
  for (let row = 0; row < count; row += 1) insert.run(`note ${row}`);
  database.close();
}

/** An application that stays: its connection keeps the WAL. The caller closes it. */
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
