/**
 * The ledger: rows that show whether any row is missing, stale or was never written.
 *
 *   ledger(id, version, payload, sum)   small rows, changed at random; ids without a gap
 *   bulk(part, id, version, ...)        two parts; a large transaction rewrites one of them completely
 *   totals                              one row: the sums of all rows, and the last transaction
 *   churn                               pages that come and go, not verified
 *
 * `era` counts the database files: a file that replaces another one starts the next era. Before a
 * transaction commits, its new `totals` are appended to a file of attempted transactions.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import Database from 'better-sqlite3';

export interface Totals {
  readonly era: number;
  readonly seq: number;
  readonly rows: number;
  /** Sum of the versions of all rows of `ledger`: one stale page breaks it. */
  readonly versions: number;
  /** Large transactions so far: the n-th wrote version n to every row of part n % 2. */
  readonly bulk: number;
}

/** Rows of a part of `bulk`. */
export const BULK_ROWS = 150;
/** Payload of one row of `bulk`, in bytes. A large transaction has some 450 KiB. */
export const BULK_BYTES_MIN = 2500;
export const BULK_BYTES_MAX = 3500;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS ledger(id INTEGER PRIMARY KEY, version INTEGER, payload BLOB, sum TEXT);
CREATE TABLE IF NOT EXISTS bulk(
  part INTEGER, id INTEGER, version INTEGER, payload BLOB, sum TEXT, PRIMARY KEY(part, id));
CREATE TABLE IF NOT EXISTS churn(id INTEGER PRIMARY KEY, a BLOB);
CREATE TABLE IF NOT EXISTS totals(
  id INTEGER PRIMARY KEY, era INTEGER, seq INTEGER, rows INTEGER, versions INTEGER, bulk INTEGER);
INSERT OR IGNORE INTO totals VALUES(1, 1, 0, 0, 0, 0);`;

/** Selects all columns of `totals` except its id. */
export const TOTALS = 'SELECT era, seq, rows, versions, bulk FROM totals';

/** Creates the tables of a ledger in `database` if they are missing, and writes to them. */
export class Ledger {
  readonly #totals: Database.Statement;
  readonly #setTotals: Database.Statement;
  readonly #put: Database.Statement;
  readonly #putBulk: Database.Statement;
  readonly #version: Database.Statement;

  constructor(database: Database.Database) {
    database.exec(SCHEMA);
    this.#totals = database.prepare(TOTALS);
    this.#setTotals = database.prepare(
      'UPDATE totals SET era = ?, seq = ?, rows = ?, versions = ?, bulk = ?',
    );
    this.#put = database.prepare('INSERT OR REPLACE INTO ledger VALUES(?, ?, ?, ?)');
    this.#putBulk = database.prepare('INSERT OR REPLACE INTO bulk VALUES(?, ?, ?, ?, ?)');
    this.#version = database.prepare('SELECT version FROM ledger WHERE id = ?').pluck();
  }

  totals(): Totals {
    return this.#totals.get() as Totals;
  }

  setTotals({ era, seq, rows, versions, bulk }: Totals): void {
    this.#setTotals.run(era, seq, rows, versions, bulk);
  }

  versionOf(id: number): number {
    return this.#version.get(id) as number;
  }

  put(id: number, version: number, sizeBytes: number): void {
    const payload = Buffer.alloc(sizeBytes, id * 31 + version);
    this.#put.run(id, version, payload, sumOf(id, version, payload));
  }

  putBulk(id: number, version: number, sizeBytes: number): void {
    const payload = Buffer.alloc(sizeBytes, id * 31 + version);
    this.#putBulk.run(version % 2, id, version, payload, sumOf(id, version, payload));
  }
}

export function sumOf(id: number, version: number, payload: Uint8Array): string {
  return createHash('sha256').update(`${id} ${version} `).update(payload).digest('hex');
}

/** Line in the file of attempted transactions for a transaction with these new `totals`. */
export function attemptLine({ era, seq, rows, versions, bulk }: Totals): string {
  return `${era} ${seq} ${rows} ${versions} ${bulk}`;
}

/** `totals` of the database at `file`, as an application that opens it now would see them. */
export function readTotals(file: string): Totals | undefined {
  const database = new Database(file, { readonly: true, timeout: 1000 });
  try {
    return database.prepare(TOTALS).get() as Totals | undefined;
  } finally {
    database.close();
  }
}

export interface NewLedger {
  readonly era: number;
  readonly rows: number;
  readonly pageSize: number;
  readonly journalMode: 'wal' | 'delete';
  /** Path of the file of attempted transactions. */
  readonly attempted: string;
}

/** Creates a database with a ledger of the next era at `file`, without a WAL. */
export function createLedger(file: string, { era, rows, pageSize, ...rest }: NewLedger): void {
  const database = new Database(file);
  try {
    database.pragma(`page_size=${pageSize}`);
    database.pragma(`journal_mode=${rest.journalMode}`);
    const ledger = new Ledger(database);
    const totals = { era, seq: 0, rows, versions: rows, bulk: 0 };
    fs.appendFileSync(rest.attempted, `${attemptLine(totals)}\n`);
    database.exec('BEGIN');
    for (let id = 1; id <= rows; id++) ledger.put(id, 1, (id * 37 + era) % 300);
    ledger.setTotals(totals);
    database.exec('COMMIT');
  } finally {
    database.close();
  }
}
