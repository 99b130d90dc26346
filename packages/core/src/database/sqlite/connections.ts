/**
 * Our connections to a watched database, and what each may do.
 *
 * - Two readers take turns in holding a read transaction. While one of them is inside, no log that
 *   has frames which we do not hold can restart, and no frame beyond its mark can be backfilled.
 * - C asks how far the log is committed, and checkpoints. It is never inside a transaction:
 *   a checkpoint on a connection that is inside one, NOOP too, is SQLITE_LOCKED.
 * - W takes the write lock, and writes nothing.
 * - A read-only connection is closed last, unless all of the log is staged: a connection that can
 *   write would, as the last one, checkpoint and delete the WAL.
 *
 * One descriptor on the database file is opened once and kept while the process lives: closing any
 * descriptor of it drops the POSIX locks that the process has on it (hazards E-1).
 */

import Database from 'better-sqlite3';
import fs from 'node:fs';
import type { Clock } from '../../clock.ts';
import { assert, ReplicationError } from '../../error.ts';
import { readFullySync } from '../../file-io.ts';
import { fromSQLite } from './database-error.ts';
import { type JournalMode, toWAL } from './journal-mode.ts';

/** SQLite 3.51.3 mended a corruption at the restart of a WAL, and brought `wal_checkpoint(NOOP)`. */
const SQLITE_VERSION_MIN = [3, 51, 3] as const;
/**
 * How long W tries for the write lock; our ticks stop meanwhile. It tries all the time, since SQLite's
 * own waiting sleeps longer than a writer at full speed ever leaves the lock free.
 */
const WRITE_LOCK_TRY_MS = 40;

export interface LogState {
  /** Frames of the log that are committed; -1 where another process is just recovering the index. */
  readonly log: number;
  /** Frames of it that are in the database file. */
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
  readonly #asker: Database.Database;
  readonly #writer: Database.Database;
  readonly #ask: Database.Statement;
  readonly #lock: Database.Statement;
  #holding: Reader;
  #waiting: Reader;
  #closed = false;

  /**
   * Opens all of them and begins the first read transaction. SQLITE_TOO_OLD, DATABASE_NOT_WAL when
   * the database cannot be switched to WAL, DATABASE_BUSY, DATABASE_INVALID when it is none.
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
      this.#asker = open(options.busyTimeoutMs, 'write');
      assertVersion(this.#asker);
      this.journalMode = toWAL(this.#asker, options.path);
      this.#asker.pragma('wal_autocheckpoint=0');
      this.#asker.pragma('busy_timeout=0');
      this.#ask = this.#asker.prepare('PRAGMA wal_checkpoint(NOOP)').raw();
      this.#writer = open(0, 'write');
      this.#writer.pragma('wal_autocheckpoint=0');
      this.#lock = this.#writer.prepare('BEGIN IMMEDIATE');
      this.#guard = open(options.busyTimeoutMs, 'read');
      this.#guard.prepare('SELECT 1 FROM sqlite_master LIMIT 1').get();
      this.#holding = toReader(open(options.busyTimeoutMs, 'write'));
      this.#waiting = toReader(open(options.busyTimeoutMs, 'write'));
      this.pageSize = this.#asker.pragma('page_size', { simple: true }) as number;
      begin(this.#holding);
    } catch (error) {
      for (const database of opened.toReversed()) database.close();
      throw fromSQLite(error, options.path);
    }
  }

  /** How far the log is committed and backfilled: what SQLite says, not what the file seems to hold. */
  ask(): LogState {
    return toLogState(this.#ask.get());
  }

  /**
   * The waiting reader begins, the holding one ends, they swap names. Only when the log is what we
   * hold. Answers 'stayed' when the new one could not begin: then nothing has changed.
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
      return toLogState(this.#asker.prepare(`PRAGMA wal_checkpoint(${mode})`).raw().get());
    } catch (error) {
      if (isBusy(error)) return { ...this.ask(), busy: true };
      throw error;
    }
  }

  /** Runs `work` while we have the write lock, in which nothing is written. 'busy' if it is taken. */
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

  /** Bytes of the database file from `position`; fewer at its end. */
  readFile(into: Uint8Array, position: number): number {
    return readFullySync(this.#descriptor, into, position);
  }

  fileSizeBytes(): number {
    return fs.fstatSync(this.#descriptor).size;
  }

  /**
   * 'keep the log': a read-only connection is closed last, and SQLite leaves the log as it is. 'as the
   * application': where nobody else is connected, SQLite checkpoints the log and deletes it.
   */
  close(how: 'keep the log' | 'as the application'): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const reader of [this.#holding, this.#waiting]) {
      if (reader.connection.inTransaction) reader.commit.run();
      reader.connection.close();
    }
    this.#writer.close();
    if (how === 'keep the log') this.#asker.close();
    this.#guard.close();
    if (how === 'as the application') this.#asker.close();
  }
}

/** A read transaction that holds a mark: `BEGIN` alone, or with `SELECT 1`, holds nothing. */
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

/** Of a raw row: to make an object of it costs more than the question. */
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
