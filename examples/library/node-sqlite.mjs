import { DatabaseSync } from 'node:sqlite';
import { openSluice } from '@sluice/core';
import { file } from '@sluice/file';

await using sluice = await openSluice({
  databases: [{ path: 'app.db', destinations: [file('backup')] }],
  restoreIfMissing: true,
});

const db = new DatabaseSync('app.db');
db.exec('PRAGMA journal_mode = wal');
db.exec('CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY)');
db.exec('INSERT INTO visits DEFAULT VALUES');
await sluice.database('app.db').durable();
console.log(`visits: ${db.prepare('SELECT id FROM visits').all().length}`);
db.close();
