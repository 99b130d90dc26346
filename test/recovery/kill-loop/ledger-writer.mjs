// An application with a ledger (ledger.ts) and its own settings, which runs until it is killed. It does
// not use Sluice. It also churns pages, checkpoints in every mode and opens long read transactions. It
// takes orders as messages and replies when they are done.
import fs from 'node:fs';
import Database from 'better-sqlite3';
import { BULK_BYTES_MAX, BULK_BYTES_MIN, BULK_ROWS, Ledger, attemptLine } from './ledger.ts';

/** Maximum number of ledger rows. Keeps the database small and its verification fast. */
const ROWS_MAX = 4000;
/** Reports a corrupt database to application.ts. */
const CORRUPT_EXIT_CODE = 77;
/** Maximum attempts for an order that finds a lock. Each waits for the busy timeout. */
const ORDER_TRIES_MAX = 5;

const [file, attempted, seedText, pageSize, pauseText] = process.argv.slice(2);
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

process.on('uncaughtException', (error) => {
  if (!/^SQLITE_(CORRUPT|NOTADB)/.test(error.code ?? '')) throw error;
  process.exit(CORRUPT_EXIT_CODE);
});

const db = new Database(file, { timeout: 5000 });
db.pragma(`page_size=${pageSize}`);
db.pragma('journal_mode=wal');
db.pragma(`wal_autocheckpoint=${pick([0, 0, 1, 50, 1000, 1000, 1000])}`);
db.pragma(`synchronous=${pick(['NORMAL', 'NORMAL', 'FULL'])}`);
db.pragma(`cache_size=${pick([10, 2000])}`);
const ledger = new Ledger(db);
const add = db.prepare('INSERT INTO churn(a) VALUES(randomblob(?))');
const change = db.prepare('UPDATE churn SET a = randomblob(?) WHERE id % 11 = ?');
const remove = db.prepare('DELETE FROM churn WHERE id % 5 = ?');
const notes = fs.openSync(attempted, 'a');
const drawnPauseMs = pick([0, 2, 10, 10]);
const pauseMs = pauseText === undefined ? drawnPauseMs : Number(pauseText);
const hot = random();
const checkpoints = pick([0.003, 0.03]);
let now = ledger.totals();
let isPaused = false;

/** Mostly picks from one tenth of the rows per start, so that a lost page is rarely rewritten. */
function pickRow() {
  if (random() < 0.1) return int(1, now.rows);
  return 1 + Math.floor(((hot + random() * 0.1) % 1) * now.rows);
}

function commit(next, write) {
  fs.writeSync(notes, `${attemptLine(next)}\n`);
  db.exec('BEGIN IMMEDIATE');
  write();
  ledger.setTotals(next);
  db.exec('COMMIT');
  now = next;
}

function transaction() {
  const isKept = random() < 0.95;
  const added = now.rows >= ROWS_MAX ? 0 : int(0, 5);
  const changed = now.rows === 0 ? 0 : int(0, 6);
  const next = {
    ...now,
    seq: now.seq + 1,
    rows: now.rows + added,
    versions: now.versions + added + changed,
  };
  const write = () => {
    for (let i = 1; i <= added; i++) ledger.put(now.rows + i, 1, int(0, 300));
    for (let i = 0; i < changed; i++) {
      const id = pickRow();
      ledger.put(id, ledger.versionOf(id) + 1, int(0, 300));
    }
    if (random() < 0.2) for (let i = 0; i < 10; i++) add.run(int(0, 600));
    if (random() < 0.05) change.run(int(0, 600), int(0, 10));
    if (random() < 0.1) remove.run(int(0, 4));
  };
  if (isKept) {
    commit(next, write);
    return;
  }
  db.exec('BEGIN IMMEDIATE');
  write();
  db.exec('ROLLBACK');
}

/** Writes a transaction larger than the tail of the tested replicator. */
function largeTransaction() {
  const version = now.bulk + 1;
  commit({ ...now, seq: now.seq + 1, bulk: version }, () => {
    for (let id = 1; id <= BULK_ROWS; id++) {
      ledger.putBulk(id, version, int(BULK_BYTES_MIN, BULK_BYTES_MAX));
    }
  });
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

/** Returns whether `work` was done. False if another connection has a lock. */
function attempt(work) {
  try {
    work();
    return true;
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    if (!/^SQLITE_(BUSY|LOCKED)/.test(error.code ?? '')) throw error;
    return false;
  }
}

function step() {
  if (!isPaused) for (let burst = int(1, 4); burst > 0; burst--) attempt(act);
  setTimeout(step, random() * pauseMs);
}

const ORDERS = {
  checkpoint: ({ mode }) => checkpoint(mode),
  small: () => {
    const { seq } = now;
    while (now.seq === seq) transaction();
  },
  large: largeTransaction,
  /** Writes only on orders until `resume`. */
  pause: () => {
    isPaused = true;
  },
  resume: () => {
    isPaused = false;
  },
};

process.on('message', (order) => {
  let isDone = false;
  for (let tries = 0; !isDone && tries < ORDER_TRIES_MAX; tries++) {
    isDone = attempt(() => ORDERS[order.kind](order));
  }
  process.send?.({ call: order.call, isDone });
});
process.on('disconnect', () => process.exit());
process.send?.('writing');
step();
