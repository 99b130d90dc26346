// An application that writes all the time and checkpoints with its own settings.
import Database from 'better-sqlite3';

const db = new Database(process.argv[2], { timeout: 10000 });
db.pragma('journal_mode=wal');
db.pragma('wal_autocheckpoint=100');
db.exec('CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a BLOB)');
const insert = db.prepare('INSERT INTO t(a) VALUES(randomblob(abs(random()) % 800))');
const update = db.prepare('UPDATE t SET a = randomblob(300) WHERE id % 37 = abs(random()) % 37');
let n = 0;
setInterval(() => {
  n += 1;
  try {
    insert.run();
    if (n % 20 === 0) update.run();
    if (n % 300 === 0) db.exec('DELETE FROM t WHERE id % 5 = 0');
  } catch (error) {
    if (!/BUSY|LOCKED/.test(error.code ?? '')) throw error;
  }
}, 10);
process.send('writing');
