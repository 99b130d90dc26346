// The database and its backup. Import it once: `open` starts the process that replicates.

import { openSluice } from '@sluice/core';
import { file } from '@sluice/file';
import { s3 } from '@sluice/s3';
import Database from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const orders = sqliteTable('orders', {
  id: integer().primaryKey(),
  item: text().notNull(),
});

const { DATABASE = 'app.db', BACKUP_FOLDER, BACKUP_BUCKET, BACKUP_ENDPOINT } = process.env;

/** Restores the database if it is missing, then opens it. */
export async function open() {
  const sluice = await openSluice({
    databases: [{ path: DATABASE, destinations: destinations() }],
    restoreIfMissing: true,
  });
  sluice.on('warning', ({ message }) => console.warn(message));
  sluice.on('error', ({ message }) => console.error(message));
  const client = new Database(DATABASE);
  client.pragma('journal_mode = wal');
  client.exec('CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)');
  return {
    db: drizzle({ client }),
    backup: sluice.database(DATABASE),
    async close() {
      client.close();
      await sluice.close(); // a last sync
    },
  };
}

function destinations() {
  const bucket = { bucket: BACKUP_BUCKET, path: 'app.db', endpoint: BACKUP_ENDPOINT };
  return [
    ...(BACKUP_FOLDER === undefined ? [] : [file(BACKUP_FOLDER)]),
    ...(BACKUP_BUCKET === undefined ? [] : [s3(bucket)]),
  ];
}
