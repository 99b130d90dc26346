/** Version of the SQLite library bundled with the binding. */

import Database from 'better-sqlite3';

/** The version of the loaded SQLite: "3.51.3". */
export function sqliteVersion(): string {
  const database = new Database(':memory:');
  try {
    return String(database.prepare('SELECT sqlite_version()').pluck().get());
  } finally {
    database.close();
  }
}
