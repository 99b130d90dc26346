import { openSluice } from '@sluice/core';
import { file } from '@sluice/file';
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';

await using sluice = await openSluice({
  databases: [{ path: 'app.db', destinations: [file('backup')] }],
  restoreIfMissing: true,
});

const database = new Database('app.db');
database.pragma('journal_mode = wal');
await using db = new Kysely({ dialect: new SqliteDialect({ database }) });
await db.schema
  .createTable('visits')
  .ifNotExists()
  .addColumn('id', 'integer', (column) => column.primaryKey())
  .execute();
await db.insertInto('visits').defaultValues().execute();
await sluice.database('app.db').durable();
const { count } = await db
  .selectFrom('visits')
  .select(({ fn }) => fn.countAll().as('count'))
  .executeTakeFirstOrThrow();
console.log(`visits: ${count}`);
