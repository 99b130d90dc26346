// An application with a ledger: each row has its number and a checksum, each try is noted before it
// is committed. Beside it, pages are churned and the log checkpointed in every mode.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import Database from 'better-sqlite3';

const [file, tried, seedText, pageSize] = process.argv.slice(2);
let state = Number(seedText) >>> 0;
const random = () => {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const pick = (list) => list[Math.floor(random() * list.length)];

const db = new Database(file, { timeout: 5000 });
db.pragma(`page_size=${pageSize}`);
db.pragma('journal_mode=wal');
db.pragma(`wal_autocheckpoint=${pick([0, 100, 1000, 1000])}`);
db.pragma(`synchronous=${pick(['NORMAL', 'FULL'])}`);
db.exec(`CREATE TABLE IF NOT EXISTS ledger(id INTEGER PRIMARY KEY, payload BLOB, sum TEXT);
CREATE TABLE IF NOT EXISTS churn(id INTEGER PRIMARY KEY, a BLOB)`);
const insert = db.prepare('INSERT INTO ledger(id, payload, sum) VALUES(?, ?, ?)');
const add = db.prepare('INSERT INTO churn(a) VALUES(randomblob(?))');
const change = db.prepare('UPDATE churn SET a = randomblob(?) WHERE id % 11 = ?');
const remove = db.prepare('DELETE FROM churn WHERE id % 7 = ?');
const notes = fs.openSync(tried, 'a');
let next = (db.prepare('SELECT max(id) AS id FROM ledger').get().id ?? 0) + 1;

function transaction() {
  const rows = 1 + Math.floor(random() * 5);
  fs.writeSync(notes, `${next + rows - 1}\n`);
  db.exec('BEGIN IMMEDIATE');
  for (let i = 0; i < rows; i++) {
    const payload = Buffer.alloc(Math.floor(random() * 300), next + i);
    const sum = createHash('sha256')
      .update(`${next + i}`)
      .update(payload)
      .digest('hex');
    insert.run(next + i, payload, sum);
  }
  if (random() < 0.3) for (let i = 0; i < 20; i++) add.run(Math.floor(random() * 600));
  if (random() < 0.2) change.run(Math.floor(random() * 600), Math.floor(random() * 11));
  if (random() < 0.1) remove.run(Math.floor(random() * 7));
  db.exec('COMMIT');
  next += rows;
}

function step() {
  try {
    if (random() < 0.015) {
      db.pragma(`wal_checkpoint(${pick(['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'])})`);
    } else {
      transaction();
    }
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    if (!/^SQLITE_(BUSY|LOCKED)/.test(error.code ?? '')) throw error;
  }
  setTimeout(step, random() * 12);
}
process.send?.('writing');
step();
