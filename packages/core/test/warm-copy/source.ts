/** A database with its backup in memory: each commit is one LTX file. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { Bucket, encodeFile } from '../restore/bucket.ts';
import { timeOf } from '../restore/files.ts';

const ACCOUNTS = 40;
/** The sum of all balances, after each commit. */
export const TOTAL: number = ACCOUNTS * 100;

export interface SourceOptions {
  readonly pageSize?: number;
  readonly lineage?: bigint;
  /** TXID of the first commit. */
  readonly first?: number;
  /** Times begin later by this. */
  readonly laterMs?: number;
}

export class Source {
  readonly bucket: Bucket;
  readonly #file: string;
  readonly #database: Database.Database;
  readonly #options: Required<SourceOptions>;
  readonly #images = new Map<number, readonly Uint8Array[]>();
  txid: number;

  constructor(folder: string, bucket: Bucket, options: SourceOptions = {}) {
    this.#options = { pageSize: 1024, lineage: 7n, first: 1, laterMs: 0, ...options };
    this.bucket = bucket;
    this.#file = path.join(folder, `source-${this.#options.lineage}.db`);
    this.#database = new Database(this.#file);
    this.#database.pragma(`page_size = ${this.#options.pageSize}`);
    this.#database.pragma('journal_mode = wal');
    this.txid = this.#options.first - 1;
    this.commit(`CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER);
      CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)`);
    const rows = Array.from({ length: ACCOUNTS }, (_, id) => `(${id}, 100)`);
    this.commit(`INSERT INTO accounts VALUES ${rows.join(',')}`);
  }

  /** Runs SQL and adds the changed pages as one file of level 0. */
  commit(sql: string): void {
    this.#database.exec(sql);
    this.#store();
  }

  /** Moves money between two accounts. */
  transfer(): void {
    const [from, to] = [this.txid % ACCOUNTS, (this.txid * 7 + 3) % ACCOUNTS];
    this.commit(`BEGIN; UPDATE accounts SET balance = balance - 1 WHERE id = ${from};
      UPDATE accounts SET balance = balance + 1 WHERE id = ${to}; COMMIT`);
  }

  fill(rows: number): void {
    this.commit(`INSERT INTO notes (text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
      WHERE i < ${rows}) SELECT hex(randomblob(200)) FROM n`);
  }

  /** A full snapshot at level 9. */
  snapshot(): void {
    this.bucket.put(9, 1, this.txid, this.encode(1, this.txid, this.imageOf(this.txid)));
  }

  /** Merges files of level 0 into one of level 1, and removes them. */
  merge(min: number, max: number): void {
    const pages = new Map<number, Uint8Array>();
    for (let txid = min; txid <= max; txid++) {
      for (const [pgno, page] of this.#changes(txid)) pages.set(pgno, page);
    }
    const size = this.imageOf(max).length;
    for (const pgno of pages.keys()) if (pgno > size) pages.delete(pgno);
    this.bucket.put(1, min, max, this.encode(min, max, this.imageOf(max), pages));
    for (let txid = min; txid <= max; txid++) this.bucket.remove(0, txid, txid);
  }

  imageOf(txid: number): readonly Uint8Array[] {
    return this.#images.get(txid) ?? [];
  }

  encode(
    min: number,
    max: number,
    image: readonly Uint8Array[],
    pages: ReadonlyMap<number, Uint8Array> = new Map(image.map((page, at) => [at + 1, page])),
  ): Uint8Array {
    const { pageSize, lineage, laterMs } = this.#options;
    return encodeFile(min, max, {
      commit: image.length,
      pages,
      pageSize,
      nodeID: lineage,
      timestamp: new Date(timeOf(max).getTime() + laterMs),
    });
  }

  close(): void {
    this.#database.close();
  }

  #store(): void {
    this.#database.pragma('wal_checkpoint(TRUNCATE)');
    this.txid += 1;
    const { pageSize } = this.#options;
    const bytes = fs.readFileSync(this.#file);
    const image = Array.from({ length: bytes.length / pageSize }, (_, at) =>
      Uint8Array.from(bytes.subarray(at * pageSize, (at + 1) * pageSize)),
    );
    this.#images.set(this.txid, image);
    const file = this.encode(this.txid, this.txid, image, this.#changes(this.txid));
    this.bucket.put(0, this.txid, this.txid, file);
  }

  #changes(txid: number): Map<number, Uint8Array> {
    const before = this.imageOf(txid - 1);
    const changed = new Map<number, Uint8Array>();
    for (const [at, page] of this.imageOf(txid).entries()) {
      const old = before[at];
      if (old === undefined || Buffer.compare(old, page) !== 0) changed.set(at + 1, page);
    }
    return changed;
  }
}

/** The bytes of a database, without the fields of page 1 that a warm copy changes. */
export function contentOf(bytes: Uint8Array): Uint8Array {
  const content = bytes.slice();
  for (const [start, end] of [
    [18, 20],
    [24, 32],
    [92, 96],
  ] as const) {
    content.fill(0, start, end);
  }
  return content;
}

export function joined(image: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(image));
}
