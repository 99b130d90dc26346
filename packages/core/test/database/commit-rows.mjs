// node commit-rows.mjs FILE ROWS: an application in its own process, which leaves its log unchanged.
import Database from 'better-sqlite3';

const [file, rows] = process.argv.slice(2);
const database = new Database(file, { timeout: 5000 });
database.pragma('wal_autocheckpoint=0');
const insert = database.prepare('INSERT INTO t(v) VALUES (randomblob(3000))');
database.transaction(() => {
  for (let row = 0; row < Number(rows); row++) insert.run();
})();
process.kill(process.pid, 'SIGKILL'); // a connection that closes may checkpoint
