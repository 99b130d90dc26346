// An application with a ledger, by its own settings, until it is killed. It knows nothing of Sluice.
//
// Each row has its number, a version and a checksum; `totals` says after which transaction how many
// rows there are and how many versions in sum, so that one stale page anywhere breaks a sum. What a
// transaction will make of `totals` is noted before it commits: what was never noted never was.
// Beside it pages are churned, the log is checkpointed in every mode, readers stay long.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import Database from 'better-sqlite3';

/** From then on rows are changed only: the database stays small, the judging fast. */
const ROWS_MAX = 4000;

const [file, tried, seedText, pageSize] = process.argv.slice(2);
let state = Number(seedText) >>> 0;
const random = () => {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const int = (least, most) => least + Math.floor(random() * (most - least + 1));
const pick = (list) => list[int(0, list.length - 1)];

const db = new Database(file, { timeout: 5000 });
db.pragma(`page_size=${pageSize}`);
db.pragma('journal_mode=wal');
db.pragma(`wal_autocheckpoint=${pick([0, 0, 1, 50, 1000, 1000, 1000])}`);
db.pragma(`synchronous=${pick(['NORMAL', 'NORMAL', 'FULL'])}`);
db.pragma(`cache_size=${pick([10, 2000])}`);
db.exec(`
CREATE TABLE IF NOT EXISTS ledger(id INTEGER PRIMARY KEY, version INTEGER, payload BLOB, sum TEXT);
CREATE TABLE IF NOT EXISTS churn(id INTEGER PRIMARY KEY, a BLOB);
CREATE TABLE IF NOT EXISTS totals(id INTEGER PRIMARY KEY, seq INTEGER, rows INTEGER, versions INTEGER);
INSERT OR IGNORE INTO totals VALUES(1, 0, 0, 0);`);
const put = db.prepare('INSERT OR REPLACE INTO ledger VALUES(?, ?, ?, ?)');
const versionOf = db.prepare('SELECT version FROM ledger WHERE id = ?').pluck();
const total = db.prepare('UPDATE totals SET seq = ?, rows = ?, versions = ?');
const add = db.prepare('INSERT INTO churn(a) VALUES(randomblob(?))');
const change = db.prepare('UPDATE churn SET a = randomblob(?) WHERE id % 11 = ?');
const remove = db.prepare('DELETE FROM churn WHERE id % 5 = ?');
const notes = fs.openSync(tried, 'a');
const pauseMs = pick([0, 2, 10, 10]);
const hot = random();
const checkpoints = pick([0.003, 0.03]);
let now = db.prepare('SELECT seq, rows, versions FROM totals').get();

function write(id, version) {
  const payload = Buffer.alloc(int(0, 300), id * 31 + version);
  const hash = createHash('sha256').update(`${id} ${version} `).update(payload);
  put.run(id, version, payload, hash.digest('hex'));
}

/** Mostly of a tenth of the rows, another one after each start: a page that was lost is seldom mended by chance. */
function pickRow() {
  if (random() < 0.1) return int(1, now.rows);
  return 1 + Math.floor(((hot + random() * 0.1) % 1) * now.rows);
}

function transaction() {
  const isKept = random() < 0.95;
  const added = now.rows >= ROWS_MAX ? 0 : int(0, 5);
  const changed = now.rows === 0 ? 0 : int(0, 6);
  const next = {
    seq: now.seq + 1,
    rows: now.rows + added,
    versions: now.versions + added + changed,
  };
  if (isKept) fs.writeSync(notes, `${next.seq} ${next.rows} ${next.versions}\n`);
  db.exec('BEGIN IMMEDIATE');
  for (let i = 1; i <= added; i++) write(now.rows + i, 1);
  for (let i = 0; i < changed; i++) {
    const id = pickRow();
    write(id, versionOf.get(id) + 1);
  }
  if (random() < 0.2) for (let i = 0; i < 10; i++) add.run(int(0, 600));
  if (random() < 0.05) change.run(int(0, 600), int(0, 10));
  if (random() < 0.1) remove.run(int(0, 4));
  total.run(next.seq, next.rows, next.versions);
  db.exec(isKept ? 'COMMIT' : 'ROLLBACK');
  if (isKept) now = next;
}

function checkpoint(mode) {
  db.pragma(`wal_checkpoint(${mode})`);
}

function readLong() {
  const reader = new Database(file);
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM totals').get();
  setTimeout(() => reader.close(), int(5, 200));
}

function act() {
  const choice = random();
  if (choice < checkpoints) checkpoint(pick(['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE']));
  else if (choice < checkpoints + 0.002) db.exec('VACUUM');
  else if (choice < checkpoints + 0.007) readLong();
  else transaction();
}

/** Runs `work`; that another has a lock is no failure. */
function attempt(work) {
  try {
    work();
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    if (!/^SQLITE_(BUSY|LOCKED)/.test(error.code ?? '')) throw error;
  }
}

function step() {
  for (let burst = int(1, 4); burst > 0; burst--) attempt(act);
  setTimeout(step, random() * pauseMs);
}

process.on('message', (mode) => attempt(() => checkpoint(mode)));
process.on('disconnect', () => process.exit());
process.send?.('writing');
step();
