// node commit-rows.mjs FILE ROWS: an application as a process of its own, which leaves its log as it is.
import Database from 'better-sqlite3';

const [file, rows] = process.argv.slice(2);
const database = new Database(file, { timeout: 5000 });
database.pragma('wal_autocheckpoint=0');
const insert = database.prepare('INSERT INTO t(v) VALUES (randomblob(3000))');
database.transaction(() => {
  for (let row = 0; row < Number(rows); row++) insert.run();
})();
process.kill(process.pid, 'SIGKILL'); // a connection that closes may checkpoint
