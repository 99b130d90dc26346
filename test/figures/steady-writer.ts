/** A writer that commits at a steady rate, whatever the time of each commit. */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';

const ROW_BYTES = 500;

export class SteadyWriter {
  readonly file: string;
  readonly #db: Database.Database;
  readonly #insert: Database.Statement;
  readonly #periodMs: number;

  constructor(folder: string, perSecond: number) {
    this.file = path.join(folder, 'app.db');
    this.#db = new Database(this.file);
    this.#db.pragma('journal_mode=wal');
    this.#db.pragma('synchronous=NORMAL');
    this.#db.exec('CREATE TABLE t(a BLOB)');
    this.#insert = this.#db.prepare(`INSERT INTO t VALUES (randomblob(${ROW_BYTES}))`);
    this.#periodMs = 1_000 / perSecond;
  }

  /** Commits until `isDone`, and calls `committed` after each. Returns the number of commits. */
  async write(isDone: () => boolean, committed: () => void = () => undefined): Promise<number> {
    const startedAt = performance.now();
    let commits = 0;
    while (!isDone()) {
      this.#insert.run();
      committed();
      commits += 1;
      await sleep(Math.max(0, startedAt + commits * this.#periodMs - performance.now()));
    }
    return commits;
  }

  async writeFor(durationMs: number, committed?: () => void): Promise<number> {
    const until = performance.now() + durationMs;
    return await this.write(() => performance.now() >= until, committed);
  }

  close(): void {
    this.#db.close();
  }
}
