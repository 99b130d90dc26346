/**
 * Makes a warm copy an ordinary database.
 *
 *  step                                                    after a crash
 *  1. SQLite undoes an interrupted change; check the state  it can be followed
 *  2. SQLite's integrity check                              it can be followed
 *  3. record that the promotion has begun                   it is not followed; promote it again
 *  4. switch to WAL, if the source had it                   the same
 *  5. remove the folder of the copy                         an ordinary database
 */

import Database from 'better-sqlite3';
import { messageOf, ReplicationError } from '../error.ts';
import { systemFiles } from '../file-system.ts';
import { toWAL } from '../database/sqlite/journal-mode.ts';
import { formatTXID } from '../ltx/txid.ts';
import { systemRandom } from '../random.ts';
import { systemTimers } from '../store/timers.ts';
import { Copy } from './copy.ts';
import { CopyLock } from './copy-lock.ts';
import type { CopyPaths } from './copy-paths.ts';
import type { StoredMode } from './first-page.ts';
import { requireWarmCopy } from './follower.ts';
import { readPosition, writePosition, type CopyState } from './position.ts';

export interface PromoteOptions {
  readonly output: string;
  /** 'none' trusts the checksums of the backup. */
  readonly integrityCheck: 'none' | 'quick' | 'full';
  readonly signal: AbortSignal;
}

/** The state of the database that was a copy. */
export interface PromoteReport {
  /** 16 hex digits. */
  readonly txid: string;
  /** ISO 8601: when this state was committed, by the clock of its writer. */
  readonly timestamp: string;
  readonly journalMode: StoredMode;
}

/**
 * DATABASE_BUSY if a process still follows the copy, or uses it during the switch; DATABASE_REPLACED if
 * another program wrote to it; RESTORE_INTEGRITY if the check fails. The copy then stays a copy.
 */
export async function promote(options: PromoteOptions): Promise<PromoteReport> {
  const { output, signal } = options;
  const paths = await requireWarmCopy(output);
  const lock = await CopyLock.acquire(paths, systemTimers);
  let state: CopyState;
  try {
    state = await toPromoting(paths, options);
    signal.throwIfAborted();
    switchMode(paths.database, state.sourceMode);
    await systemFiles.remove(paths.position);
  } finally {
    await lock.release();
  }
  await systemFiles.remove(paths.folder);
  const { txid, timestampMs, sourceMode } = state;
  return {
    txid: formatTXID(txid),
    timestamp: new Date(timestampMs).toISOString(),
    journalMode: sourceMode,
  };
}

/** Steps 1 to 3, unless an earlier promotion did them. */
async function toPromoting(
  paths: CopyPaths,
  { integrityCheck, signal }: PromoteOptions,
): Promise<CopyState> {
  const position = await readPosition(systemFiles, paths.position);
  const [begun] = position?.states ?? [];
  if (position?.kind === 'promoting' && begun !== undefined) return begun;
  const ports = { files: systemFiles, clock: systemTimers, random: systemRandom };
  const copy = await Copy.open(paths, ports, { signal, onBlocked: () => undefined });
  if (copy === undefined) throw new TypeError('the position was read before');
  const { state } = copy;
  copy.close();
  checkIntegrity(paths.database, integrityCheck);
  await writePosition(systemFiles, paths.position, { kind: 'promoting', states: [state] });
  return state;
}

function checkIntegrity(database: string, check: PromoteOptions['integrityCheck']): void {
  if (check === 'none') return;
  const pragma = check === 'quick' ? 'quick_check' : 'integrity_check';
  const connection = new Database(database, { readonly: true, fileMustExist: true });
  try {
    const answer = String(connection.pragma(`${pragma}(1)`, { simple: true }));
    if (answer === 'ok') return;
    throw new ReplicationError(
      'RESTORE_INTEGRITY',
      `promote ${database}: PRAGMA ${pragma} says: ${answer}; it stays a copy. Check the source, and restore ` +
        'an older state',
    );
  } finally {
    connection.close();
  }
}

function switchMode(database: string, mode: StoredMode): void {
  if (mode === 'rollback') return;
  const connection = new Database(database, { fileMustExist: true });
  try {
    toWAL(connection, database);
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    if (!code.startsWith('SQLITE_BUSY')) throw error;
    throw new ReplicationError(
      'DATABASE_BUSY',
      `switch ${database} to WAL: ${messageOf(error)}; close the programs that read it, and promote it again`,
      { cause: error },
    );
  } finally {
    connection.close();
  }
}
