/**
 * Switches a database to WAL mode. The mode is stored in the file, so from then on every process that
 * opens the database needs a wal-index in shared memory beside it. On a file system without shared
 * memory mapping (many FUSE and network mounts) no process could open the database any more, not even
 * the application. SQLite detects this only after it has changed the header. So WAL mode is first
 * tested with a scratch database in the same folder.
 */

import Database from 'better-sqlite3';
import fs from 'node:fs';
import path from 'node:path';
import { messageOf, ReplicationError } from '../../error.ts';
import { fileSystemOf } from './file-system.ts';

export interface JournalMode {
  /** Whether Sluice switched the database to WAL. */
  readonly switched: boolean;
}

/** Switches `file` to WAL mode if needed. Throws DATABASE_NOT_WAL if that fails; its mode is then unchanged. */
export function toWAL(database: Database.Database, file: string): JournalMode {
  const real = fs.realpathSync(file);
  const trial = path.join(path.dirname(real), `.${path.basename(real)}-sluice-trial`);
  fs.rmSync(trial, { recursive: true, force: true }); // a crash may have left one
  const before = String(database.pragma('journal_mode', { simple: true }));
  if (before === 'wal') return { switched: false };
  tryWAL(trial, file, before);
  const after = database.pragma('journal_mode=wal', { simple: true });
  if (after === 'wal') return { switched: true };
  throw new ReplicationError(
    'DATABASE_NOT_WAL',
    `switch ${file} from journal mode ${before} to WAL: SQLite returned "${String(after)}"; ` +
      'close other connections, or set "PRAGMA journal_mode=wal" in the application',
  );
}

/** The file system and the next step, for an error of SQLite with the wal-index of `file`. */
export function explainIndexFailure(error: unknown, file: string): string {
  const location = `on ${fileSystemOf(fs.realpathSync(file))}`;
  return codeOf(error) === 'SQLITE_IOERR_SHMMAP'
    ? `${location}, which cannot map the shared memory that WAL mode requires; move the database to a local file system`
    : `${location}; check its free space, and the permissions of the folder`;
}

/** Creates a database in `folder`, switches it to WAL, writes to it, and reads it on a second connection. */
function tryWAL(folder: string, file: string, before: string): void {
  const opened: Database.Database[] = [];
  try {
    fs.mkdirSync(folder);
    const name = path.join(folder, 'database');
    const writer = new Database(name);
    opened.push(writer);
    const mode = writer.pragma('journal_mode=wal', { simple: true });
    if (mode !== 'wal') throw new Error(`SQLite returned "${String(mode)}"`);
    writer.exec('CREATE TABLE trial(value); INSERT INTO trial VALUES (1)');
    const reader = new Database(name);
    opened.push(reader);
    reader.prepare('SELECT value FROM trial').get();
  } catch (error) {
    const reason = [codeOf(error), messageOf(error)].filter((part) => part !== '').join(': ');
    throw new ReplicationError(
      'DATABASE_NOT_WAL',
      `switch ${file} to WAL: a trial database in its folder failed in that mode (${reason}) ` +
        `${explainIndexFailure(error, file)}; the journal mode is still "${before}"`,
      { cause: error },
    );
  } finally {
    for (const database of opened.toReversed()) database.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
