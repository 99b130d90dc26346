const { openSluice } = require('@sluice/core');
const { file } = require('@sluice/file');
const Database = require('better-sqlite3');

async function main() {
  const sluice = await openSluice({
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
  await sluice.close();
}

void main();
