/**
 * Explains permission errors of a database or its staging folder: which files this user may not write.
 */

import fs from 'node:fs';
import path from 'node:path';
import { messageOf, ReplicationError } from '../../error.ts';
import type { DatabaseOptions } from '../options.ts';

/** Errors of SQLite for a file that cannot be opened or written. */
const DENIED = /^SQLITE_(READONLY|CANTOPEN|PERM|AUTH)/;
/** Errors of the operating system for a missing permission. */
const UNWRITABLE: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS']);

/** Returns DATABASE_DENIED, STAGING_FAILED, or the error unchanged. */
export function toPermissionError(
  error: unknown,
  { path: database, metaPath }: Pick<DatabaseOptions, 'path' | 'metaPath'>,
  isWritable: (name: string) => boolean = canWrite,
): unknown {
  const { code, path: file } = error as { readonly code?: unknown; readonly path?: unknown };
  if (typeof code === 'string' && DENIED.test(code)) {
    const denied = describeDenied(database, isWritable);
    const message =
      `open ${database}: ${messageOf(error)} (${code}): ${denied}. Reading a database in WAL mode ` +
      'requires write access: run as its owner, or give this user write permission';
    return new ReplicationError('DATABASE_DENIED', message, { cause: error });
  }
  const isInStaging = typeof file === 'string' && isWithin(file, metaPath);
  if (!isInStaging || !UNWRITABLE.has(code)) return error;
  const message =
    `use the staging folder ${metaPath}: ${messageOf(error)}: ${describeUser()} may not create it or write ` +
    'there; give this user permission, or set meta-path to a writable folder';
  return new ReplicationError('STAGING_FAILED', message, { cause: error });
}

/** Lists the files that SQLite needs and this user may not write. */
function describeDenied(database: string, isWritable: (name: string) => boolean): string {
  const names = [database, `${database}-wal`, `${database}-shm`, path.dirname(database)];
  const denied = names.flatMap((name) => {
    const stats = fs.statSync(name, { throwIfNoEntry: false });
    if (stats === undefined || isWritable(name)) return [];
    return [`${name} (owner ${stats.uid}, mode ${(stats.mode & 0o777).toString(8)})`];
  });
  return denied.length === 0
    ? `${describeUser()} may write its files; check whether its disk is mounted read-only, or another program blocks access`
    : `${describeUser()} may not write ${denied.join(', ')}`;
}

function canWrite(name: string): boolean {
  try {
    fs.accessSync(name, fs.constants.R_OK | fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function describeUser(): string {
  return `this user (${process.geteuid?.() ?? 'unknown'})`;
}

function isWithin(file: string, folder: string): boolean {
  const relative = path.relative(folder, file);
  // Includes the parent folder, in which the staging folder is created.
  return !relative.startsWith('..') || path.dirname(folder) === path.resolve(file);
}
