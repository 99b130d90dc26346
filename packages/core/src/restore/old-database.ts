/**
 * Makes the database that a restore replaces complete without the files beside it.
 *
 * Its `-wal` must be gone when the new file gets the name, because SQLite would apply it to that
 * file. Until then the old database needs it. No single rename does both, so SQLite first writes
 * the log into the old file. A crash at any time leaves either the old database or the new one:
 *
 *  step                                                          after a crash, the name holds
 *  1. SQLite checkpoints the WAL, or rolls back the journal      the old database; its log is empty
 *  2. remove -wal, -journal and -shm                             the old database
 *  3. rename the new file                                        the new database
 */

import fs from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import type { Clock } from '../clock.ts';
import { messageOf, ReplicationError } from '../error.ts';
import { describeHolders, findHolders, type Holder } from './open-elsewhere.ts';

/** Files beside a database that SQLite applies to it. */
export const JOURNAL_FILES: readonly string[] = ['-wal', '-journal'];

/** A running replicator needs two or three seconds to release the end of the log. */
const CHECKPOINT_MS_MAX = 10_000;
const RETRY_MS = 50;

export interface CheckpointOptions {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Default CHECKPOINT_MS_MAX. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Makes the file at `path` complete without its journal files. DATABASE_BUSY if another process
 * keeps using it, RESTORE_OUTPUT if SQLite cannot write its log into it.
 */
export async function checkpointOldDatabase(
  path: string,
  { signal, clock, timeoutMs = CHECKPOINT_MS_MAX }: CheckpointOptions,
): Promise<void> {
  const deadline = clock.monotonic() + timeoutMs;
  if ((await sizeOf(path)) === undefined) return; // a log without a database is useless
  while ((await findJournalFiles(path)).length > 0) {
    // Another process may have committed since the log was emptied.
    if ((await emptyJournal(path)) === 'done' && !(await findJournalFiles(path)).includes('-wal'))
      return;
    signal.throwIfAborted();
    if (clock.monotonic() > deadline) throw inUse(path, await findHolders(path));
    await sleep(RETRY_MS);
  }
}

/** The journal files that exist and are not empty. */
export async function findJournalFiles(path: string): Promise<string[]> {
  const sizes = await Promise.all(JOURNAL_FILES.map((side) => sizeOf(path + side)));
  return JOURNAL_FILES.filter((_, index) => (sizes[index] ?? 0) > 0);
}

/** SQLite ignores a journal that still exists afterwards. */
async function emptyJournal(path: string): Promise<'done' | 'busy'> {
  const { default: SQLite } = await import('better-sqlite3');
  let failure: unknown;
  let database: Database.Database | undefined;
  try {
    database = new SQLite(path, { timeout: 0, fileMustExist: true });
    // Rolls back a journal that a crash left, and shows that nobody is writing.
    database.exec('BEGIN IMMEDIATE; ROLLBACK');
    const [row] = database.pragma('wal_checkpoint(TRUNCATE)') as [{ busy: number }];
    if (row.busy !== 0) return 'busy';
  } catch (error) {
    failure = error;
  } finally {
    database?.close(); // SQLite also checkpoints here, if it can, even a damaged database
  }
  if (failure === undefined) return 'done';
  const code = String((failure as { code?: unknown }).code);
  if (/^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(code)) return 'busy';
  const isDamaged = /^SQLITE_(NOTADB|CORRUPT|FORMAT)/.test(code);
  const sides = await findJournalFiles(path);
  if (isDamaged && !sides.includes('-wal')) return 'done';
  throw cannotCheckpoint(path, sides, failure);
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await fs.stat(file)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function inUse(path: string, holders: readonly Holder[]): ReplicationError {
  const who = holders.length === 0 ? 'another process' : describeHolders(holders);
  return new ReplicationError(
    'DATABASE_BUSY',
    `replace ${path}: ${who} is using this database, so its log cannot be checkpointed. ` +
      'Nothing was changed; stop the processes that have it open, and restore again',
  );
}

function cannotCheckpoint(
  path: string,
  sides: readonly string[],
  error: unknown,
): ReplicationError {
  const names = sides.map((side) => path + side).join(' and ');
  return new ReplicationError(
    'RESTORE_OUTPUT',
    `replace ${path}: ${names} must be checkpointed first, but SQLite failed: ${messageOf(error)}. ` +
      `Give this user write permission, or remove ${names} if the old database is not needed`,
    { cause: error },
  );
}
