/**
 * Our connections to a watched database, and the purpose of each.
 *
 * - Two readers take turns holding a read transaction. While one of them is inside a transaction, a log
 *   with frames that we do not hold cannot restart, and no frame beyond its mark can be backfilled.
 * - C reads the state of the log, and checkpoints. It is never inside a transaction, because a
 *   checkpoint inside one, even NOOP, fails with SQLITE_LOCKED.
 * - W takes the write lock, but never writes.
 * - A read-only connection is closed last, unless the whole log is staged. A writable connection, if it
 *   is the last to close, would checkpoint and delete the WAL.
 *
 * The descriptor of the database file is opened once and never closed: closing any descriptor of a
 * file drops all POSIX locks that the process has on it (hazards E-1).
 */

import Database from 'better-sqlite3';
import fs from 'node:fs';
import type { Clock } from '../../clock.ts';
import { assert, ReplicationError } from '../../error.ts';
import { readFullySync } from '../../file-io.ts';
import { fromSQLite } from './database-error.ts';
import { type JournalMode, toWAL } from './journal-mode.ts';

/** SQLite 3.51.3 fixed a corruption at the restart of a WAL, and added `wal_checkpoint(NOOP)`. */
const SQLITE_VERSION_MIN = [3, 51, 3] as const;
/**
 * Maximum time that W tries to take the write lock; ticks stop meanwhile. It tries without pause,
 * because SQLite's busy handler sleeps longer than a fast writer leaves the lock free.
 */
const WRITE_LOCK_TRY_MS = 40;

export interface LogState {
  /** Number of committed frames in the log; -1 while another process recovers the wal-index. */
  readonly log: number;
  /** Number of frames that are backfilled into the database file. */
  readonly checkpointed: number;
  readonly busy: boolean;
}

export type CheckpointMode = 'PASSIVE' | 'TRUNCATE';

interface Reader {
  readonly connection: Database.Database;
  readonly begin: Database.Statement;
  readonly touch: Database.Statement;
  readonly commit: Database.Statement;
}

export interface ConnectionOptions {
  readonly path: string;
  readonly busyTimeoutMs: number;
  readonly clock: Clock;
}

export class Connections {
  readonly journalMode: JournalMode;
  readonly pageSize: number;
  readonly #clock: Clock;
  readonly #descriptor: number;
  readonly #guard: Database.Database;
  readonly #control: Database.Database;
  readonly #writer: Database.Database;
  readonly #logState: Database.Statement;
  readonly #lock: Database.Statement;
  #holding: Reader;
  #waiting: Reader;
  #isClosed = false;

  /**
   * Opens all connections and begins the first read transaction. Throws SQLITE_TOO_OLD,
   * DATABASE_NOT_WAL if the database cannot be switched to WAL, DATABASE_BUSY, and DATABASE_INVALID if
   * the file is not a database.
   */
  constructor(options: ConnectionOptions, descriptor: number) {
    const opened: Database.Database[] = [];
    const open = (timeout: number, readonly: 'read' | 'write'): Database.Database => {
      const database = new Database(options.path, {
        timeout,
        readonly: readonly === 'read',
        fileMustExist: true,
      });
      opened.push(database);
      return database;
    };
    this.#clock = options.clock;
    try {
      this.#descriptor = descriptor;
      this.#control = open(options.busyTimeoutMs, 'write');
      assertVersion(this.#control);
      this.journalMode = toWAL(this.#control, options.path);
      this.#control.pragma('wal_autocheckpoint=0');
      this.#control.pragma('busy_timeout=0');
      this.#logState = this.#control.prepare('PRAGMA wal_checkpoint(NOOP)').raw();
      this.#writer = open(0, 'write');
      this.#writer.pragma('wal_autocheckpoint=0');
      this.#lock = this.#writer.prepare('BEGIN IMMEDIATE');
      this.#guard = open(options.busyTimeoutMs, 'read');
      this.#guard.prepare('SELECT 1 FROM sqlite_master LIMIT 1').get();
      this.#holding = toReader(open(options.busyTimeoutMs, 'write'));
      this.#waiting = toReader(open(options.busyTimeoutMs, 'write'));
      this.pageSize = this.#control.pragma('page_size', { simple: true }) as number;
      begin(this.#holding);
    } catch (error) {
      for (const database of opened.toReversed()) database.close();
      throw fromSQLite(error, options.path);
    }
  }

  /** How far the log is committed and backfilled, according to SQLite. */
  readLogState(): LogState {
    return toLogState(this.#logState.get());
  }

  /**
   * Begins a transaction on the waiting reader, ends the one of the holding reader, and swaps the two.
   * Call only if the whole log is held. Returns 'stayed' if the transaction could not begin; then
   * nothing has changed.
   */
  moveReader(): 'moved' | 'stayed' {
    try {
      begin(this.#waiting);
    } catch (error) {
      if (this.#waiting.connection.inTransaction) this.#waiting.commit.run();
      if (isBusy(error)) return 'stayed';
      throw error;
    }
    this.#holding.commit.run();
    [this.#holding, this.#waiting] = [this.#waiting, this.#holding];
    return 'moved';
  }

  checkpoint(mode: CheckpointMode): LogState {
    try {
      return toLogState(this.#control.prepare(`PRAGMA wal_checkpoint(${mode})`).raw().get());
    } catch (error) {
      if (isBusy(error)) return { ...this.readLogState(), busy: true };
      throw error;
    }
  }

  /** Runs `work` while W holds the write lock. Returns 'busy' if the lock could not be taken. */
  withWriteLock(work: () => void): 'done' | 'busy' {
    const deadline = this.#clock.monotonic() + WRITE_LOCK_TRY_MS;
    while (!this.#tryWriteLock()) if (this.#clock.monotonic() > deadline) return 'busy';
    try {
      work();
    } finally {
      this.#writer.exec('ROLLBACK');
    }
    return 'done';
  }

  #tryWriteLock(): boolean {
    try {
      this.#lock.run();
      return true;
    } catch (error) {
      if (isBusy(error)) return false;
      throw error;
    }
  }

  /** Reads the database file from `position`; returns fewer bytes at its end. */
  readFile(into: Uint8Array, position: number): number {
    return readFullySync(this.#descriptor, into, position);
  }

  fileSizeBytes(): number {
    return fs.fstatSync(this.#descriptor).size;
  }

  /**
   * 'keep the log': a read-only connection is closed last, so that SQLite leaves the log unchanged. 'as
   * the application': a writable one is closed last; if it is the last connection of all, SQLite
   * checkpoints the log and deletes it.
   */
  close(how: 'keep the log' | 'as the application'): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const reader of [this.#holding, this.#waiting]) {
      if (reader.connection.inTransaction) reader.commit.run();
      reader.connection.close();
    }
    this.#writer.close();
    if (how === 'keep the log') this.#control.close();
    this.#guard.close();
    if (how === 'as the application') this.#control.close();
  }
}

/**
 * Opens a database whose log is backfilled, and closes it: if no other process uses it, SQLite deletes the log.
 * Call only if this process has no connection to it.
 */
export function closeLikeApplication(path: string): void {
  const connection = new Database(path, { timeout: 0, fileMustExist: true });
  try {
    connection.pragma('wal_autocheckpoint=0');
    connection.prepare('SELECT 1 FROM sqlite_master LIMIT 1').get();
  } finally {
    connection.close();
  }
}

/** Begins a read transaction that holds a mark. `BEGIN` alone, or with `SELECT 1`, holds none. */
function begin(reader: Reader): void {
  reader.begin.run();
  reader.touch.get();
  assert(reader.connection.inTransaction, 'a reader that has begun is inside its transaction');
}

function toReader(connection: Database.Database): Reader {
  connection.pragma('wal_autocheckpoint=0');
  return {
    connection,
    begin: connection.prepare('BEGIN'),
    touch: connection.prepare('SELECT 1 FROM sqlite_master LIMIT 1').pluck(),
    commit: connection.prepare('COMMIT'),
  };
}

function assertVersion(database: Database.Database): void {
  const text = database.prepare('SELECT sqlite_version()').pluck().get() as string;
  const version = text.split('.').map(Number);
  for (const [index, least] of SQLITE_VERSION_MIN.entries()) {
    const part = version[index] ?? 0;
    if (part > least) return;
    if (part < least) {
      throw new ReplicationError(
        'SQLITE_TOO_OLD',
        `SQLite ${text} is older than ${SQLITE_VERSION_MIN.join('.')}; install better-sqlite3 >= 13`,
      );
    }
  }
}

/** Converts a raw row: building an object would take longer than the statement itself. */
function toLogState(row: unknown): LogState {
  const [busy, log, checkpointed] = row as [busy: number, log: number, checkpointed: number];
  if (log < 0 && busy === 0) {
    throw new ReplicationError(
      'DATABASE_NOT_WAL',
      'the database was switched out of WAL mode during replication',
    );
  }
  return { log, checkpointed, busy: busy !== 0 };
}

function isBusy(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code);
}
