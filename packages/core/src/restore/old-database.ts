/**
 * The database that a restore replaces, made whole without the files beside it.
 *
 * Its `-wal` must be gone when the new file gets the name, because SQLite would play it into that one.
 * Until then the old database needs it. No single rename does both, so the log is first put into the
 * old file. Whoever is killed leaves the old database or the new one:
 *
 *  step                                                          killed behind it, the name holds
 *  1. SQLite checkpoints the WAL, or rolls back the journal      the old database; its log is empty
 *  2. remove -wal, -journal and -shm                             the old database
 *  3. rename the new file                                        the new database
 */

import fs from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import type { Clock } from '../clock.ts';
import { messageOf, ReplicationError } from '../error.ts';

/** Files that change what SQLite reads from the database beside them. */
export const JOURNAL_FILES: readonly string[] = ['-wal', '-journal'];

/** A replicator that runs beside needs two or three seconds to let go of the end of the log. */
const SETTLE_MS_MAX = 10_000;
const RETRY_MS = 50;

export interface CheckpointOptions {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Default SETTLE_MS_MAX. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Makes the file at `path` whole without what lies beside it. DATABASE_BUSY where somebody uses it and
 * does not let go, RESTORE_OUTPUT where SQLite cannot put its log into it.
 */
export async function checkpointOldDatabase(
  path: string,
  { signal, clock, timeoutMs = SETTLE_MS_MAX }: CheckpointOptions,
): Promise<void> {
  const deadline = clock.monotonic() + timeoutMs;
  if ((await sizeOf(path)) === undefined) return; // a log without a database holds nothing
  while ((await findJournalFiles(path)).length > 0) {
    // Whoever has it open may have committed since the log was emptied.
    if ((await emptyJournal(path)) === 'done' && !(await findJournalFiles(path)).includes('-wal'))
      return;
    signal.throwIfAborted();
    if (clock.monotonic() > deadline) throw inUse(path);
    await sleep(RETRY_MS);
  }
}

/** Of the files that SQLite would play, those that are there and hold something. */
export async function findJournalFiles(path: string): Promise<string[]> {
  const sizes = await Promise.all(JOURNAL_FILES.map((side) => sizeOf(path + side)));
  return JOURNAL_FILES.filter((_, index) => (sizes[index] ?? 0) > 0);
}

/** A journal that is still there afterwards is one that SQLite does not play. */
async function emptyJournal(path: string): Promise<'done' | 'busy'> {
  const { default: SQLite } = await import('better-sqlite3');
  let failure: unknown;
  let database: Database.Database | undefined;
  try {
    database = new SQLite(path, { timeout: 0, fileMustExist: true });
    // It rolls back a journal that a crash left, and shows that nobody is writing.
    database.exec('BEGIN IMMEDIATE; ROLLBACK');
    const [row] = database.pragma('wal_checkpoint(TRUNCATE)') as [{ busy: number }];
    if (row.busy !== 0) return 'busy';
  } catch (error) {
    failure = error;
  } finally {
    database?.close(); // of a damaged database, too, the log is put into it here, if it can be
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

function inUse(path: string): ReplicationError {
  return new ReplicationError(
    'DATABASE_BUSY',
    `replace ${path}: the database that is there is in use, and its log cannot be put into it. ` +
      'Nothing was fileChangedError; stop whatever has it open, and restore again',
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
    `replace ${path}: ${names} must be put into it first, and SQLite cannot: ${messageOf(error)}. ` +
      `Give this user the right to write to it, or remove ${names} if the old database is not needed`,
    { cause: error },
  );
}
