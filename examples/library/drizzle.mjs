import { openSluice } from '@sluice/core';
import { file } from '@sluice/file';
import Database from 'better-sqlite3';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core';

await using sluice = await openSluice({
  databases: [{ path: 'app.db', destinations: [file('backup')] }],
  restoreIfMissing: true,
});

const visits = sqliteTable('visits', { id: integer().primaryKey() });
const client = new Database('app.db');
client.pragma('journal_mode = wal');
const db = drizzle({ client });
db.run(sql`CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY)`);
db.insert(visits).values({}).run();
await sluice.database('app.db').durable();
console.log(`visits: ${db.select().from(visits).all().length}`);
client.close();
