/**
 * A warm copy: a database that only Sluice writes to, while other processes read it.
 *
 * A change is atomic for readers and survives a crash at any instruction, because it takes the steps of
 * a transaction of SQLite in rollback mode:
 *
 *  step                                                     after a crash, the next program to open it finds
 *  1. write the original pages to a journal, and fsync it   the state before
 *  2. record the state before and the one after             the state before
 *  3. BEGIN EXCLUSIVE, on a connection of SQLite            the state before
 *  4. rename the journal into place, fsync the folder       a journal: SQLite restores the state before
 *  5. write the pages and the size, fsync                   a journal: SQLite restores the state before
 *  6. remove the journal, fsync the folder                  the state after
 *  7. ROLLBACK: SQLite has written nothing, and unlocks     the state after
 *
 * The descriptor for the pages is opened before the connection and closed after it: closing any descriptor
 * of a file drops all POSIX locks that the process has on it. No other code of this process may open the
 * database while it is followed.
 */

import fs from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { assert } from '../error.ts';
import { readFullySync, writeFullySync } from '../file-io.ts';
import { type FileSystem } from '../file-system.ts';
import { lockPgno } from '../ltx/header.ts';
import type { Random } from '../random.ts';
import { PageSet } from '../restore/decode/page-set.ts';
import { withOutputErrors } from '../restore/output-target.ts';
import { sleep } from '../store/abort.ts';
import type { TimerClock } from '../store/timers.ts';
import type { Change, TargetState } from './change.ts';
import { lockError, movedError, promotingError, replacedError } from './copy-errors.ts';
import type { CopyPaths } from './copy-paths.ts';
import { changeCounterOf, modeOf, nextCounter, pageSizeOf, toCopyPage } from './first-page.ts';
import { JournalWriter } from './journal.ts';
import {
  findState,
  marksOf,
  readPosition,
  writePosition,
  type CopyState,
  type Position,
} from './position.ts';

export interface CopyPorts {
  readonly files: FileSystem;
  readonly clock: TimerClock;
  readonly random: Random;
}

export interface ApplyOptions {
  readonly signal: AbortSignal;
  /** Called once if readers keep the copy locked for long. */
  readonly onBlocked: () => void;
}

/** SQLite waits this long for readers; meanwhile no new reader can start. Doubles up to the maximum. */
const BUSY_MS_MIN = 250;
const BUSY_MS_MAX = 2_000;
/** Between two attempts, readers can start. */
const BUSY_PAUSE_MS = 20;
/** About two seconds. */
const ATTEMPTS_BEFORE_BLOCKED = 3;
const PAGE_BYTES_MAX = 65_536;
const HEADER_BYTES = 100;
/** Other code of this process runs after so many pages of a preparation. */
const PAUSE_PAGES = 1024;

/** What is in the file now. */
interface Content {
  readonly firstPage: Uint8Array;
  readonly pageSize: number;
  readonly commit: number;
  readonly sizeBytes: number;
}

/** A change, with what step 5 writes. */
interface PreparedChange {
  readonly change: Change;
  readonly firstPage: Uint8Array;
  /** Without page 1. */
  readonly differing: PageSet;
}

export class Copy {
  readonly #paths: CopyPaths;
  readonly #ports: CopyPorts;
  readonly #descriptor: number;
  readonly #connection: Database.Database;
  #state: CopyState;
  #isUncertain = false;

  /**
   * Opens the copy and lets SQLite undo an interrupted change. undefined if there is no position beside it.
   * DATABASE_REPLACED if another program wrote to it.
   */
  static async open(
    paths: CopyPaths,
    ports: CopyPorts,
    options: ApplyOptions,
  ): Promise<Copy | undefined> {
    const position = await readPosition(ports.files, paths.position);
    if (position === undefined) return undefined;
    const [any] = position.states;
    if (any === undefined || position.kind === 'promoting') throw promotingError(paths.database);
    const copy = await withOutputErrors(`open ${paths.database}`, async () => {
      const descriptor = fs.openSync(paths.database, 'r+');
      try {
        return new Copy(paths, ports, descriptor, any);
      } catch (error) {
        fs.closeSync(descriptor);
        throw error;
      }
    });
    try {
      await copy.#recover(position, options);
      return copy;
    } catch (error) {
      copy.close();
      throw error;
    }
  }

  private constructor(paths: CopyPaths, ports: CopyPorts, descriptor: number, state: CopyState) {
    this.#paths = paths;
    this.#ports = ports;
    this.#descriptor = descriptor;
    this.#connection = new Database(paths.database, { fileMustExist: true, timeout: 0 });
    this.#state = state;
  }

  get state(): CopyState {
    return this.#state;
  }

  /** Page size and size in pages. */
  get geometry(): { readonly pageSize: number; readonly commit: number } {
    return this.#read();
  }

  /** DATABASE_REPLACED if another program wrote to the copy, moved it or removed it. */
  requireUnchanged(): void {
    this.#requireOurs(this.#read());
  }

  /**
   * Finds out which state the copy holds, after an error of `apply`. Call it before you plan the next change:
   * a change must begin with the state that the copy holds.
   */
  async settle(options: ApplyOptions): Promise<void> {
    if (!this.#isUncertain) return;
    const position = await readPosition(this.#ports.files, this.#paths.position);
    await this.#recover(position, options);
  }

  /**
   * Applies a verified change. DATABASE_REPLACED if another program wrote to the copy; RESTORE_OUTPUT if it
   * cannot be written. After any error the copy holds the state before or the one after: call `settle`.
   */
  async apply(change: Change, target: TargetState, options: ApplyOptions): Promise<void> {
    assert(!this.#isUncertain, 'the copy was settled');
    await withOutputErrors(`write to ${this.#paths.database}`, async () => {
      const before = this.#read();
      this.#requireOurs(before);
      const prepared = await this.#prepare(change, before, options.signal);
      const next = this.#toState(prepared, before, target);
      if (prepared === undefined) {
        await this.#record([next]);
      } else {
        await this.#record([this.#state, next]);
        this.#isUncertain = true;
        await this.#commit(prepared, options);
        this.#isUncertain = false;
      }
      this.#state = next;
    });
  }

  /** In this order: see above. */
  close(): void {
    this.#connection.close();
    fs.closeSync(this.#descriptor);
  }

  /** Lets SQLite roll back a journal, then finds out which state the copy holds. */
  async #recover(position: Position | undefined, options: ApplyOptions): Promise<void> {
    await this.#begin(options);
    this.#connection.exec('ROLLBACK');
    const { sizeBytes, firstPage } = this.#read();
    const state = position && findState(position, marksOf(sizeBytes, firstPage));
    if (state === undefined) throw replacedError(this.#paths.database, this.#state);
    this.#state = state;
    this.#isUncertain = false;
  }

  async #commit(prepared: PreparedChange, options: ApplyOptions): Promise<void> {
    const { journal, nextJournal, database } = this.#paths;
    const { files } = this.#ports;
    const folder = path.dirname(database);
    await this.#begin(options);
    try {
      this.#requireOurs(this.#read());
      await files.rename(nextJournal, journal);
      await files.syncFolder(folder);
      this.#write(prepared);
      await files.remove(journal);
      await files.syncFolder(folder);
    } finally {
      this.#connection.exec('ROLLBACK');
    }
  }

  /** Takes SQLite's exclusive lock. Waits for readers until the signal aborts. */
  async #begin({ signal, onBlocked }: ApplyOptions): Promise<void> {
    let busyMs = BUSY_MS_MIN;
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      try {
        this.#connection.pragma(`busy_timeout = ${busyMs}`);
        this.#connection.exec('BEGIN EXCLUSIVE');
        return;
      } catch (error) {
        const code = String((error as { code?: unknown }).code);
        if (!/^SQLITE_(BUSY|PROTOCOL)/.test(code)) throw lockError(this.#paths.database, error);
      }
      if (attempt === ATTEMPTS_BEFORE_BLOCKED) onBlocked();
      busyMs = Math.min(2 * busyMs, BUSY_MS_MAX);
      await sleep(this.#ports.clock, BUSY_PAUSE_MS, signal);
    }
  }

  /** Writes the journal. undefined if the copy is equal to the change already. */
  async #prepare(
    change: Change,
    before: Content,
    signal: AbortSignal,
  ): Promise<PreparedChange | undefined> {
    const { pageSize, commit } = change;
    const differing = await this.#findDiffering(change, before, signal);
    const source = change.has(1) ? readPage(change, 1) : before.firstPage;
    const counter = changeCounterOf(before.firstPage);
    const isSameSize = pageSize === before.pageSize && commit === before.commit;
    if (isSameSize && differing.count === 0) {
      const same = toCopyPage(source, { counter, commit });
      if (Buffer.compare(same, before.firstPage) === 0) return undefined;
    }
    const random = Number(this.#ports.random.bits64() & 0xffff_ffffn);
    const next = nextCounter(counter, random);
    const firstPage = toCopyPage(source, { counter: next, commit });
    await this.#writeJournal({ change, firstPage, differing }, before, signal);
    return { change, firstPage, differing };
  }

  /** The pages of the change, except page 1, that the copy does not have yet. */
  async #findDiffering(
    change: Change,
    { pageSize, commit }: Content,
    signal: AbortSignal,
  ): Promise<PageSet> {
    const differing = new PageSet();
    const wanted = new Uint8Array(change.pageSize);
    const present = new Uint8Array(change.pageSize);
    const isComparable = change.pageSize === pageSize;
    for (const pgno of change.pgnos()) {
      if (pgno === 1) continue;
      if (pgno % PAUSE_PAGES === 0) await pause(signal);
      if (isComparable && pgno <= commit) {
        change.read(pgno, wanted);
        readFullySync(this.#descriptor, present, (pgno - 1) * pageSize);
        if (Buffer.compare(wanted, present) === 0) continue;
      }
      differing.add(pgno);
    }
    return differing;
  }

  /** Every original page that step 5 overwrites or cuts off. */
  async #writeJournal(
    { change, differing }: PreparedChange,
    before: Content,
    signal: AbortSignal,
  ): Promise<void> {
    const { pageSize, commit } = before;
    const isSamePageSize = change.pageSize === pageSize;
    const lock = lockPgno(pageSize);
    const descriptor = fs.openSync(this.#paths.nextJournal, 'w', 0o600);
    try {
      this.#copyOwnership(descriptor);
      const nonce = Number(this.#ports.random.bits64() & 0xffff_ffffn);
      const journal = new JournalWriter(descriptor, before, nonce);
      journal.add(1, before.firstPage);
      const page = new Uint8Array(pageSize);
      for (let pgno = 2; pgno <= commit; pgno++) {
        const isOverwritten = !isSamePageSize || pgno > change.commit || differing.has(pgno);
        if (!isOverwritten || pgno === lock) continue;
        if (pgno % PAUSE_PAGES === 0) await pause(signal);
        readFullySync(this.#descriptor, page, (pgno - 1) * pageSize);
        journal.add(pgno, page);
      }
      journal.finish();
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  }

  /** After a crash, any reader may roll the journal back, so it belongs to those who may read the copy. */
  #copyOwnership(descriptor: number): void {
    const { mode, uid, gid } = fs.fstatSync(this.#descriptor);
    fs.fchmodSync(descriptor, mode & 0o777);
    const own = fs.fstatSync(descriptor);
    if (own.uid === uid && own.gid === gid) return;
    if (process.geteuid?.() === 0) fs.fchownSync(descriptor, uid, gid);
  }

  #write({ change, firstPage, differing }: PreparedChange): void {
    const { pageSize, commit } = change;
    const page = new Uint8Array(pageSize);
    for (const pgno of change.pgnos()) {
      if (!differing.has(pgno)) continue;
      change.read(pgno, page);
      writeFullySync(this.#descriptor, page, (pgno - 1) * pageSize);
    }
    writeFullySync(this.#descriptor, firstPage, 0);
    fs.ftruncateSync(this.#descriptor, commit * pageSize);
    fs.fsyncSync(this.#descriptor);
  }

  #toState(prepared: PreparedChange | undefined, before: Content, target: TargetState): CopyState {
    const { txid, lineage, timestampMs, last } = target;
    if (prepared === undefined) {
      return { ...this.#state, txid, lineage, timestampMs, last };
    }
    const { change, firstPage } = prepared;
    const sizeBytes = change.commit * change.pageSize;
    const sourceMode = change.has(1) ? modeOf(readPage(change, 1)) : this.#state.sourceMode;
    return { txid, lineage, timestampMs, last, marks: marksOf(sizeBytes, firstPage), sourceMode };
  }

  async #record(states: readonly CopyState[]): Promise<void> {
    await writePosition(this.#ports.files, this.#paths.position, { kind: 'following', states });
  }

  #read(): Content {
    const { database } = this.#paths;
    const there = fs.statSync(database, { throwIfNoEntry: false });
    const opened = fs.fstatSync(this.#descriptor);
    if (there?.ino !== opened.ino || there.dev !== opened.dev) throw movedError(database);
    const start = new Uint8Array(Math.min(PAGE_BYTES_MAX, opened.size));
    readFullySync(this.#descriptor, start, 0);
    const pageSize = start.length < HEADER_BYTES ? undefined : pageSizeOf(start);
    if (pageSize === undefined || opened.size % pageSize !== 0) {
      throw replacedError(database, this.#state);
    }
    const firstPage = start.slice(0, pageSize);
    return { firstPage, pageSize, commit: opened.size / pageSize, sizeBytes: opened.size };
  }

  #requireOurs({ sizeBytes, firstPage }: Content): void {
    const found = findState(
      { kind: 'following', states: [this.#state] },
      marksOf(sizeBytes, firstPage),
    );
    if (found === undefined) throw replacedError(this.#paths.database, this.#state);
  }
}

/** A change may take minutes to prepare: signals are handled meanwhile. */
async function pause(signal: AbortSignal): Promise<void> {
  await setImmediate();
  signal.throwIfAborted();
}

function readPage(change: Change, pgno: number): Uint8Array {
  const page = new Uint8Array(change.pageSize);
  change.read(pgno, page);
  return page;
}
