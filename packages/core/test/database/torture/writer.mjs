// An application that does not use Sluice: random transactions, rollbacks, checkpoints of every mode,
// VACUUM and long readers, with random settings. Runs until it is killed. Sends a message after its first commit.
import Database from 'better-sqlite3';

const [path, seedText] = process.argv.slice(2);
let state = Number(seedText) >>> 0;
const random = () => {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const int = (least, most) => least + Math.floor(random() * (most - least + 1));

// Another writer may hold the lock for long on a busy machine, and nobody repeats these statements.
const db = new Database(path, { timeout: 120_000 });
db.pragma('journal_mode=wal');
db.pragma(`wal_autocheckpoint=${[0, 1, 10, 100, 1000][int(0, 4)]}`);
db.pragma(`cache_size=${[10, 100, 2000][int(0, 2)]}`);
db.pragma(`synchronous=${['OFF', 'NORMAL', 'FULL'][int(0, 2)]}`);
db.exec('CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a BLOB, b INTEGER)');
db.exec('CREATE INDEX IF NOT EXISTS t_b ON t(b)');
const insert = db.prepare('INSERT INTO t(a, b) VALUES(randomblob(?), ?)');
const update = db.prepare('UPDATE t SET a = randomblob(?), b = ? WHERE id % 17 = ?');
const remove = db.prepare('DELETE FROM t WHERE id % 13 = ?');
const read = db.prepare('SELECT count(*) FROM t');
db.pragma('busy_timeout=5000');
let hasCommitted = false;

function transaction() {
  const rows = random() < 0.05 ? int(200, 2000) : int(1, 20);
  db.exec('BEGIN IMMEDIATE');
  for (let i = 0; i < rows; i++) insert.run(int(0, random() < 0.02 ? 20000 : 400), int(0, 1000));
  if (random() < 0.3) update.run(int(0, 300), int(0, 1000), int(0, 16));
  if (random() < 0.2) remove.run(int(0, 12));
  if (random() < 0.02) db.exec('DELETE FROM t');
  if (random() < 0.1) {
    db.exec('ROLLBACK');
    return;
  }
  db.exec('COMMIT');
  if (!hasCommitted) process.send?.('committed');
  hasCommitted = true;
}

function step() {
  try {
    const choice = random();
    if (choice < 0.05) {
      db.pragma(`wal_checkpoint(${['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'][int(0, 3)]})`);
    } else if (choice < 0.06) {
      db.exec('VACUUM');
    } else if (choice < 0.08) {
      const reader = new Database(path);
      reader.exec('BEGIN');
      reader.prepare('SELECT count(*) FROM t').get();
      setTimeout(() => reader.close(), int(5, 300));
    } else if (choice < 0.2) {
      read.get();
    } else {
      transaction();
    }
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    // PROTOCOL: a reader found no stable state of the log for seconds.
    if (!/^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(error.code ?? '')) throw error;
  }
  setTimeout(step, random() < 0.3 ? int(0, 20) : 0);
}
process.on('disconnect', () => process.exit()); // the test was killed
step();
