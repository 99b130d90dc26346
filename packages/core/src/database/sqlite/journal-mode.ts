/**
 * Switching a database to WAL, which is for good: whoever opens it afterwards needs an index in
 * shared memory beside it. Where the file system has no shared memory mapping (many FUSE and network
 * mounts) nobody could open the database any more, the application that worked until then included.
 * SQLite finds that out only after the header is changed. So a scratch database in the same folder
 * is tried first.
 */

import Database from 'better-sqlite3';
import fs from 'node:fs';
import path from 'node:path';
import { messageOf, ReplicationError } from '../../error.ts';
import { fileSystemOf } from './file-system.ts';

export interface JournalMode {
  /** Whether we had to switch the database to WAL. */
  readonly switched: boolean;
}

/** Makes sure that `file` is in WAL mode. DATABASE_NOT_WAL where it cannot be; then its mode is what it was. */
export function toWAL(database: Database.Database, file: string): JournalMode {
  const real = fs.realpathSync(file);
  const trial = path.join(path.dirname(real), `.${path.basename(real)}-sluice-trial`);
  fs.rmSync(trial, { recursive: true, force: true }); // a crash may have left it
  const before = String(database.pragma('journal_mode', { simple: true }));
  if (before === 'wal') return { switched: false };
  tryWAL(trial, file, before);
  const after = database.pragma('journal_mode=wal', { simple: true });
  if (after === 'wal') return { switched: true };
  throw new ReplicationError(
    'DATABASE_NOT_WAL',
    `switch ${file} from journal mode ${before} to WAL: SQLite answered "${String(after)}"; ` +
      'close other connections, or set "PRAGMA journal_mode=wal" in the application',
  );
}

/** Where it failed, and what to do: for errors of SQLite with the index of a WAL, in the folder of `file`. */
export function explainIndexFailure(error: unknown, file: string): string {
  const where = `on ${fileSystemOf(fs.realpathSync(file))}`;
  return codeOf(error) === 'SQLITE_IOERR_SHMMAP'
    ? `${where}, which cannot map shared memory as WAL needs it; move the database to a local file system`
    : `${where}; check its free space, and the permissions of the folder`;
}

/** A database in `folder` is switched, written, and read by a second connection. */
function tryWAL(folder: string, file: string, before: string): void {
  const opened: Database.Database[] = [];
  try {
    fs.mkdirSync(folder);
    const name = path.join(folder, 'database');
    const writer = new Database(name);
    opened.push(writer);
    const mode = writer.pragma('journal_mode=wal', { simple: true });
    if (mode !== 'wal') throw new Error(`SQLite answered "${String(mode)}"`);
    writer.exec('CREATE TABLE trial(value); INSERT INTO trial VALUES (1)');
    const reader = new Database(name);
    opened.push(reader);
    reader.prepare('SELECT value FROM trial').get();
  } catch (error) {
    const said = [codeOf(error), messageOf(error)].filter((part) => part !== '').join(': ');
    throw new ReplicationError(
      'DATABASE_NOT_WAL',
      `switch ${file} to WAL: a trial database in its folder failed in that mode (${said}) ` +
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
