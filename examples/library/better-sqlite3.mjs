import { openSluice } from '@sluice/core';
import { file } from '@sluice/file';
import Database from 'better-sqlite3';

await using sluice = await openSluice({
  databases: [{ path: 'app.db', destinations: [file('backup')] }],
  restoreIfMissing: true,
});

const db = new Database('app.db');
db.pragma('journal_mode = wal');
db.exec('CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY)');
db.exec('INSERT INTO visits DEFAULT VALUES');
await sluice.database('app.db').durable();
console.log(`visits: ${db.prepare('SELECT count(*) FROM visits').pluck().get()}`);
db.close();
