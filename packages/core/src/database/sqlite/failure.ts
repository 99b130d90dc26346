/**
 * What keeps a database from being followed, where SQLite and the system say it in their own words: whose
 * right is missing, to what. Looks at the files to find that out.
 */

import fs from 'node:fs';
import path from 'node:path';
import { messageOf, ReplicationError } from '../../error.ts';
import type { DatabaseOptions } from '../options.ts';

/** What SQLite says where a file cannot be opened, or not be written. */
const DENIED = /^SQLITE_(READONLY|CANTOPEN|PERM|AUTH)/;
/** What the system says where a right is missing. */
const UNWRITABLE: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS']);

/** DATABASE_DENIED, STAGING_FAILED, or the error as it is. */
export function toFailure(
  error: unknown,
  { path: database, metaPath }: Pick<DatabaseOptions, 'path' | 'metaPath'>,
  may: (name: string) => boolean = mayWrite,
): unknown {
  const { code, path: place } = error as { readonly code?: unknown; readonly path?: unknown };
  if (typeof code === 'string' && DENIED.test(code)) {
    const lacking = describeLacking(database, may);
    const message =
      `open ${database}: ${messageOf(error)} (${code}): ${lacking}. Reading a database in WAL mode ` +
      'requires write access: run as its owner, or give this user write permission';
    return new ReplicationError('DATABASE_DENIED', message, { cause: error });
  }
  const isOfStaging = typeof place === 'string' && isWithin(place, metaPath);
  if (!isOfStaging || !UNWRITABLE.has(code)) return error;
  const message =
    `use the staging folder ${metaPath}: ${messageOf(error)}: ${whoWeAre()} may not create it or write ` +
    'there; give this user permission, or set meta-path to a writable folder';
  return new ReplicationError('STAGING_FAILED', message, { cause: error });
}

/** Which of the files that SQLite needs this user may not write. */
function describeLacking(database: string, may: (name: string) => boolean): string {
  const names = [database, `${database}-wal`, `${database}-shm`, path.dirname(database)];
  const lacking = names.flatMap((name) => {
    const stats = fs.statSync(name, { throwIfNoEntry: false });
    if (stats === undefined || may(name)) return [];
    return [`${name} (owner ${stats.uid}, mode ${(stats.mode & 0o777).toString(8)})`];
  });
  return lacking.length === 0
    ? `${whoWeAre()} may write its files; check whether its disk is mounted read-only, or another program blocks access`
    : `${whoWeAre()} may not write ${lacking.join(', ')}`;
}

function mayWrite(name: string): boolean {
  try {
    fs.accessSync(name, fs.constants.R_OK | fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function whoWeAre(): string {
  return `this user (${process.geteuid?.() ?? 'unknown'})`;
}

function isWithin(place: string, folder: string): boolean {
  const relative = path.relative(folder, place);
  // The folder above it, too: there it is made.
  return !relative.startsWith('..') || path.dirname(folder) === path.resolve(place);
}
