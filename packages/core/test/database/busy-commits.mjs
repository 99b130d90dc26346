// node busy-commits.mjs FILE: an application that commits as fast as it can. Every other commit changes
// page 1, and the commit after it checkpoints that immediately. Runs until it is killed.
import Database from 'better-sqlite3';

const database = new Database(process.argv[2], { timeout: 5000 });
database.pragma('synchronous=OFF');
database.pragma('wal_autocheckpoint=1');
const update = database.prepare('UPDATE t SET v = ?');
process.send?.('committing');
for (let version = 1; ; version++) {
  database.pragma(`user_version=${version}`);
  update.run(version);
}
