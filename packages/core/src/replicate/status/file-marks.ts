/**
 * Detects whether a database was written to after replication ended, by the sizes and times of its
 * files.
 */

import fs from 'node:fs/promises';
import { isMissing } from '../../file-system.ts';

/** Size and time of a database file and of its WAL, to see whether something was written in between. */
export interface FileMarks {
  /** undefined if the file does not exist. */
  readonly database: FileMark | undefined;
  readonly wal: FileMark | undefined;
}

export interface FileMark {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** Reads the marks of the database at `path` and of its `-wal`. Rejects with the system error, except for missing files. */
export async function readFileMarks(path: string): Promise<FileMarks> {
  const [database, wal] = await Promise.all([readMark(path), readMark(`${path}-wal`)]);
  return { database, wal };
}

/** Whether neither file changed between the two readings. An empty WAL equals a missing one. */
export function areSameMarks(a: FileMarks, b: FileMarks): boolean {
  return isSame(a.database, b.database) && isSame(a.wal, b.wal);
}

/** An empty WAL equals a missing one: the last connection that closes a database removes its WAL. */
function isSame(a: FileMark | undefined, b: FileMark | undefined): boolean {
  const sizes = [a?.sizeBytes ?? 0, b?.sizeBytes ?? 0];
  if (sizes.every((size) => size === 0)) return true;
  return a?.sizeBytes === b?.sizeBytes && a?.modifiedMs === b?.modifiedMs;
}

async function readMark(file: string): Promise<FileMark | undefined> {
  try {
    const { size: sizeBytes, mtimeMs: modifiedMs } = await fs.stat(file);
    return { sizeBytes, modifiedMs };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
