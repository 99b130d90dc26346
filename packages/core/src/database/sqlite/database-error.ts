/**
 * What goes wrong around a database, as a person can act on it: a code of the table, and what to do.
 *
 *  SQLite or the system says                      code
 *  busy, locked                                   DATABASE_BUSY
 *  read-only, no permission                       DATABASE_DENIED (failure.ts says whose right is missing)
 *  no database, damaged, cannot be opened, …      DATABASE_INVALID
 *  anything of a file in the staging folder       STAGING_FULL where its disk is full, else STAGING_FAILED
 */

import fs from 'node:fs';
import { type ErrorCode, isError, messageOf, ReplicationError } from '../../error.ts';
import { toStagingError } from '../staging/staging-error.ts';
import { toFailure } from './failure.ts';
import { explainIndexFailure } from './journal-mode.ts';

export interface Places {
  /** The database. */
  readonly path: string;
  /** Its staging folder. */
  readonly metaPath: string;
}

/** Whatever was thrown around a database, with a code of the table. One of our own is left as it is. */
export function toDatabaseError(error: unknown, places: Places): ReplicationError {
  const known = fromSQLite(toFailure(error, places), places.path);
  if (isError(known)) return known;
  const { code, path, syscall } = error as { code?: unknown; path?: unknown; syscall?: unknown };
  // Of a folder that cannot be made, the system may name one above it.
  const isOfStaging =
    syscall === 'mkdir' || (typeof path === 'string' && path.startsWith(places.metaPath));
  const staging = isOfStaging
    ? toStagingError(`use the staging folder ${places.metaPath}`, error)
    : error;
  if (isError(staging)) return staging;
  const isDenied = code === 'EACCES' || code === 'EPERM';
  const next = isDenied
    ? 'run as the user of the application, or give this user permission'
    : 'check the path';
  const message = `stat ${places.path}: ${messageOf(error)}; ${next}`;
  return new ReplicationError(isDenied ? 'DATABASE_DENIED' : 'DATABASE_INVALID', message, {
    cause: error,
  });
}

/** What is not SQLite's is left as it is. */
export function fromSQLite(error: unknown, path: string): unknown {
  const name = (error as { code?: unknown } | undefined)?.code;
  if (isError(error) || typeof name !== 'string' || !name.startsWith('SQLITE_')) return error;
  const isFile = fs.statSync(path, { throwIfNoEntry: false })?.isFile() ?? true;
  const denied = isFile ? toFailure(error, { path, metaPath: path }) : error;
  if (isError(denied)) return denied;
  const what = `open ${path}: ${messageOf(error)} (${name})`;
  if (name.startsWith('SQLITE_IOERR_SHM')) {
    const message = `${what} ${explainIndexFailure(error, path)}`;
    return new ReplicationError('DATABASE_INVALID', message, { cause: error });
  }
  const { code, next } = isFile ? classify(name) : NO_FILE;
  return new ReplicationError(code, `${what}; ${next}`, { cause: error });
}

interface Verdict {
  readonly code: ErrorCode;
  readonly next: string;
}

const NO_FILE: Verdict = {
  code: 'DATABASE_INVALID',
  next: 'it is a folder or another special file: set path to the database file',
};

function classify(name: string): Verdict {
  if (/^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(name)) {
    return {
      code: 'DATABASE_BUSY',
      next: 'another connection holds a lock on it; Sluice will retry',
    };
  }
  const code = 'DATABASE_INVALID';
  if (name.startsWith('SQLITE_NOTADB')) {
    return { code, next: 'it is not a SQLite database, or it is encrypted: check the path' };
  }
  if (name.startsWith('SQLITE_CORRUPT')) {
    return { code, next: 'run "PRAGMA integrity_check" on it; if it is damaged, restore it' };
  }
  if (name.startsWith('SQLITE_FULL')) return { code, next: 'free some space on its disk' };
  if (name.startsWith('SQLITE_IOERR')) return { code, next: 'check its disk' };
  return { code, next: 'check the path, and that SQLite can open it' };
}
