import { createClient } from '@libsql/client';
import { openSluice } from '@sluice/core';
import { file } from '@sluice/file';

await using sluice = await openSluice({
  databases: [{ path: 'app.db', destinations: [file('backup')] }],
  restoreIfMissing: true,
});

const db = createClient({ url: 'file:app.db' });
await db.execute('PRAGMA journal_mode = wal');
await db.execute('CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY)');
await db.execute('INSERT INTO visits DEFAULT VALUES');
await sluice.database('app.db').durable();
const { rows } = await db.execute('SELECT count(*) AS count FROM visits');
console.log(`visits: ${rows[0].count}`);
db.close();
