/** Changes to a database while no writer runs: large transactions, and replacement of the file. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import Database from 'better-sqlite3';
import type { Random } from '../../support/random.ts';

/** Replaces the database by a changed copy, either with a rename or in place. */
export function replaceDatabase(path: string, random: Random): void {
  const copy = `${path}-copy`;
  execFileSync('cp', [path, copy]);
  if (fs.existsSync(`${path}-wal`)) execFileSync('cp', [`${path}-wal`, `${copy}-wal`]);
  change(copy, random);
  for (const side of ['-wal', '-shm']) fs.rmSync(path + side, { force: true });
  if (random.chance(0.5)) {
    fs.renameSync(copy, path);
  } else {
    const { atime, mtime } = fs.statSync(path);
    execFileSync('cp', [copy, path]);
    fs.rmSync(copy);
    if (random.chance(0.5)) fs.utimesSync(path, atime, mtime);
  }
}

/** An application that loads in bulk: transactions larger than a tail, each checkpointed immediately. */
export class BulkLoad {
  readonly #db: Database.Database;

  constructor(path: string) {
    this.#db = new Database(path, { timeout: 5000 });
    this.#db.exec('CREATE TABLE IF NOT EXISTS bulk(a)');
  }

  /** Commits one small transaction in a nearly empty log. */
  begin(): void {
    this.#db.pragma('wal_checkpoint(TRUNCATE)');
    this.#db.exec('INSERT INTO bulk VALUES (1)');
  }

  /** Commits one large transaction and backfills everything, so that the next one restarts the log. */
  load(rows: number): void {
    const insert = this.#db.prepare('INSERT INTO bulk VALUES (randomblob(20000))');
    this.#db.transaction(() => {
      for (let row = 0; row < rows; row++) insert.run();
      this.#db.exec('DELETE FROM bulk WHERE rowid % 2 = 0');
    })();
    this.#db.pragma('wal_checkpoint(PASSIVE)');
  }

  close(): void {
    this.#db.close();
  }
}

/** Changes the database in `file`. Closing the connection backfills and removes the log. */
function change(file: string, random: Random): void {
  const db = new Database(file);
  db.exec('CREATE TABLE IF NOT EXISTS replaced(a)');
  db.prepare('INSERT INTO replaced VALUES (randomblob(?))').run(random.int(1, 5000));
  const hasRows = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 't'").get() !== undefined;
  if (hasRows) db.prepare('UPDATE t SET b = b + 1 WHERE id % 5 = ?').run(random.int(0, 4));
  db.close();
}
