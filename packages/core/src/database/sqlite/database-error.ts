/**
 * Converts errors of SQLite and the operating system into errors with a documented code and a next step.
 *
 *  error                                          code
 *  busy, locked                                   DATABASE_BUSY
 *  read-only, no permission                       DATABASE_DENIED (permission-error.ts names the missing permission)
 *  not a database, damaged, cannot be opened, …   DATABASE_INVALID
 *  any error of a file in the staging folder      STAGING_FULL if its disk is full, else STAGING_FAILED
 */

import fs from 'node:fs';
import { type ErrorCode, isError, messageOf, ReplicationError } from '../../error.ts';
import { toStagingError } from '../staging/staging-error.ts';
import { toPermissionError } from './permission-error.ts';
import { explainIndexFailure } from './journal-mode.ts';

export interface DatabasePaths {
  /** Path of the database. */
  readonly path: string;
  /** Path of its staging folder. */
  readonly metaPath: string;
}

/** Converts any error of a database. A `ReplicationError` is returned unchanged. */
export function toDatabaseError(error: unknown, paths: DatabasePaths): ReplicationError {
  const known = fromSQLite(toPermissionError(error, paths), paths.path);
  if (isError(known)) return known;
  const { code, path, syscall } = error as { code?: unknown; path?: unknown; syscall?: unknown };
  // If a folder cannot be created, the error may name one of its parents.
  const isInStaging =
    syscall === 'mkdir' || (typeof path === 'string' && path.startsWith(paths.metaPath));
  const staging = isInStaging
    ? toStagingError(`use the staging folder ${paths.metaPath}`, error)
    : error;
  if (isError(staging)) return staging;
  const isDenied = code === 'EACCES' || code === 'EPERM';
  const next = isDenied
    ? 'run as the user of the application, or give this user permission'
    : 'check the path';
  const message = `stat ${paths.path}: ${messageOf(error)}; ${next}`;
  return new ReplicationError(isDenied ? 'DATABASE_DENIED' : 'DATABASE_INVALID', message, {
    cause: error,
  });
}

/** Converts an error of SQLite. Any other error is returned unchanged. */
export function fromSQLite(error: unknown, path: string): unknown {
  const name = (error as { code?: unknown } | undefined)?.code;
  if (isError(error) || typeof name !== 'string' || !name.startsWith('SQLITE_')) return error;
  const isFile = fs.statSync(path, { throwIfNoEntry: false })?.isFile() ?? true;
  const denied = isFile ? toPermissionError(error, { path, metaPath: path }) : error;
  if (isError(denied)) return denied;
  const prefix = `open ${path}: ${messageOf(error)} (${name})`;
  if (name.startsWith('SQLITE_IOERR_SHM')) {
    const message = `${prefix} ${explainIndexFailure(error, path)}`;
    return new ReplicationError('DATABASE_INVALID', message, { cause: error });
  }
  const { code, next } = isFile ? classify(name) : NOT_A_FILE;
  return new ReplicationError(code, `${prefix}; ${next}`, { cause: error });
}

interface Advice {
  readonly code: ErrorCode;
  readonly next: string;
}

const NOT_A_FILE: Advice = {
  code: 'DATABASE_INVALID',
  next: 'it is a folder or another special file: set path to the database file',
};

function classify(name: string): Advice {
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
