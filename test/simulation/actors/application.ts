/**
 * The application: writes transactions of several sizes, rolls back, deletes, vacuums, and checkpoints in
 * every mode. It may end cleanly or be killed. Each committed state is added to the ledger.
 */

import fs from 'node:fs';
import Database from 'better-sqlite3';
import type { Random } from '../../../packages/core/test/support/random.ts';
import type { Ledger } from './ledger.ts';
import { SimulatedProcess } from '../ports/process.ts';
import type { VirtualTime } from '../ports/virtual-time.ts';
import { filesChanged } from '../ports/watches.ts';

const PAGE_SIZES = [512, 1024, 4096, 4096, 8192, 65536];
/** Small, so that large transactions are spilled into the WAL before they commit. */
const CACHE_PAGES = 10;
const ROWS_MAX = 12;
const LARGE_ROWS_MAX = 120;
const CHECKPOINT_MODES = ['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'] as const;

interface Open {
  readonly process: SimulatedProcess;
  readonly writer: Database.Database;
  /** Reads each committed state for the ledger. */
  readonly reader: Database.Database;
}

export class Application {
  readonly path: string;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #ledger: Ledger;
  readonly #pageSize: number;
  /** Text at the start of each new row, if it is long enough. */
  marker = '';
  /**
   * Whether another file was ever put in the place of the database. Here all processes are one, so its locks on
   * the file and the wal-index end when this file or a connection to the earlier one is closed.
   */
  wasReplaced = false;
  #open: Open | undefined;
  #rows = 0;

  constructor(
    path: string,
    { time, random, ledger }: { time: VirtualTime; random: Random; ledger: Ledger },
  ) {
    this.path = path;
    this.#time = time;
    this.#random = random;
    this.#ledger = ledger;
    this.#pageSize = random.pick(PAGE_SIZES);
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  get isInTransaction(): boolean {
    return this.#open?.writer.inTransaction === true;
  }

  start(): string {
    const process = new SimulatedProcess('application', this.#time, this.#random);
    this.#open = process.run(() => {
      const writer = new Database(this.path, { timeout: 0 });
      writer.pragma(`page_size=${this.#pageSize}`);
      if (this.#ledger.newest === undefined) writer.pragma(`auto_vacuum=${this.#random.int(0, 2)}`);
      writer.pragma('journal_mode=wal');
      writer.pragma('synchronous=OFF'); // the disk of the database loses nothing
      writer.pragma(`cache_size=${CACHE_PAGES}`);
      writer.pragma(`wal_autocheckpoint=${this.#random.pick([0, 5, 50, 1000])}`);
      writer.exec('CREATE TABLE IF NOT EXISTS ledger(id INTEGER PRIMARY KEY, version, payload)');
      const reader = new Database(this.path, { timeout: 0 });
      reader.pragma('wal_autocheckpoint=0');
      return { process, writer, reader };
    });
    return `open: ${this.#committed()}`;
  }

  commit(size: 'small' | 'large'): string {
    return this.#write(() => {
      this.#begin();
      this.#change(size);
      this.#writer.exec('COMMIT');
    }, `${size} commit`);
  }

  rollBack(): string {
    return this.#write(() => {
      this.#begin();
      this.#change('large');
      this.#writer.exec('ROLLBACK');
    }, 'rollback');
  }

  /** Begins a transaction that stays open, or continues it. */
  stayInTransaction(): string {
    return this.#write(() => {
      this.#begin();
      this.#change('large');
    }, 'transaction stays open');
  }

  end(): string {
    const how = this.#random.chance(0.7) ? 'COMMIT' : 'ROLLBACK';
    return this.#write(() => void this.#writer.exec(how), how);
  }

  delete(): string {
    return this.#write(() => {
      const from = this.#random.int(0, this.#rows);
      this.#writer.prepare('DELETE FROM ledger WHERE id BETWEEN ? AND ?').run(from, from + 60);
    }, 'delete');
  }

  vacuum(): string {
    return this.#write(() => {
      this.#writer.exec(this.#random.chance(0.7) ? 'VACUUM' : 'PRAGMA incremental_vacuum(3)');
    }, 'vacuum');
  }

  changeSchema(): string {
    return this.#write(() => {
      const exists = this.#writer.prepare("SELECT 1 FROM sqlite_master WHERE name = 'extra'").get();
      this.#writer.exec(
        exists === undefined ? 'CREATE INDEX extra ON ledger(version)' : 'DROP INDEX extra',
      );
    }, 'schema change');
  }

  checkpoint(): string {
    const mode = this.#random.pick(CHECKPOINT_MODES);
    return this.#write(() => {
      const [row] = this.#writer.pragma(`wal_checkpoint(${mode})`) as { busy: number }[];
      return row?.busy === 0 ? '' : ', busy';
    }, `checkpoint ${mode}`);
  }

  /** Ends like an application that exits. The last connection to the database removes the WAL. */
  close(): string {
    const { writer, reader } = this.#require();
    if (writer.inTransaction) writer.exec('ROLLBACK');
    reader.close();
    writer.close();
    this.#open = undefined;
    this.#changed();
    return 'close';
  }

  kill(): string {
    this.#require().process.kill();
    this.#open = undefined;
    this.#changed();
    return 'killed';
  }

  /**
   * Replaces the database by an earlier copy of it. Returns undefined if the WAL is not empty: beside another
   * file it would be a mixture, which no state describes. While the replicator has the file open, only a copy
   * of the same size is copied over it: its wal-index has the size, and SQLite fails with another one.
   */
  replace(copy: Uint8Array, replicator: 'up' | 'down'): string | undefined {
    const { writer } = this.#require();
    if (writer.inTransaction) return undefined;
    const [row] = writer.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
    if (row?.busy !== 0) return undefined;
    this.close();
    const moved = `${this.path}.copy`;
    const mayCopy = replicator === 'down' || copy.length === fs.statSync(this.path).size;
    const how = mayCopy && this.#random.chance(0.7) ? 'copied' : 'moved';
    if (how === 'copied') fs.writeFileSync(this.path, copy);
    else {
      fs.writeFileSync(moved, copy);
      fs.renameSync(moved, this.path);
    }
    this.wasReplaced = true;
    this.#ledger.add(copy, this.#time.nowMs);
    this.#changed();
    return `an older copy was ${how} over the database`;
  }

  /** All pages, as a new transaction reads them. */
  pages(): Buffer {
    return this.#require().reader.serialize();
  }

  get #writer(): Database.Database {
    return this.#require().writer;
  }

  #require(): Open {
    if (this.#open === undefined) throw new Error('the application is not open');
    return this.#open;
  }

  #begin(): void {
    if (!this.#writer.inTransaction) this.#writer.exec('BEGIN IMMEDIATE');
  }

  /** Runs statements and adds the state after them to the ledger. A lock of Sluice may be in the way. */
  #write(work: () => string | void, what: string): string {
    const { process } = this.#require();
    let note: string;
    try {
      note = process.run(work) ?? '';
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== 'SQLITE_BUSY' && code !== 'SQLITE_LOCKED') throw error;
      note = ', busy';
    }
    return `${what}${note}: ${this.#committed()}`;
  }

  #committed(): string {
    const pages = this.pages();
    const index = this.#ledger.add(pages, this.#time.nowMs);
    this.#changed();
    return `state ${index}, ${pages.length / this.#pageSize} pages`;
  }

  #changed(): void {
    filesChanged([this.path, `${this.path}-wal`], this.#random);
  }

  #change(size: 'small' | 'large'): void {
    const random = this.#random;
    const put = this.#writer.prepare('INSERT OR REPLACE INTO ledger VALUES(?, ?, ?)');
    const count = random.int(1, size === 'small' ? ROWS_MAX : LARGE_ROWS_MAX);
    for (let row = 0; row < count; row++) {
      const id = random.chance(0.5) ? (this.#rows += 1) : random.int(1, this.#rows + 1);
      const payload = Buffer.alloc(
        random.int(0, 3 * Math.min(this.#pageSize, 1_500)),
        random.int(1, 255),
      );
      payload.write(this.marker);
      put.run(id, random.int(1, 2 ** 31), payload);
    }
  }
}
