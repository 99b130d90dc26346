/** Keeps a replicator away from a warm copy: it would write to it, and send an old state as the newest one. */

import fs from 'node:fs/promises';
import { ReplicationError } from '../error.ts';
import { readFully } from '../file-io.ts';
import { isMissing, systemFiles } from '../file-system.ts';
import { copyPathsOf, type CopyPaths } from './copy-paths.ts';
import { pageSizeOf } from './first-page.ts';
import { findState, marksOf, readPosition, type CopyMarks, type Position } from './position.ts';

const PAGE_BYTES_MAX = 65_536;
const HEADER_BYTES = 100;

/**
 * CONFIG_INVALID if `database` is a warm copy, followed or not. A database that replaced a copy is none. Call it
 * before this process opens the database: it opens and closes the file, which drops all locks on it.
 */
export async function refuseWarmCopy(database: string): Promise<void> {
  const file = await realPathOf(database);
  if (file === undefined) return;
  const paths = copyPathsOf(file);
  const position = await readPosition(systemFiles, paths.position);
  if (position === undefined || !(await isCopy(paths, position))) return;
  throw new ReplicationError(
    'CONFIG_INVALID',
    `replicate ${database}: it is a warm copy of another database, which "sluice restore -f" keeps up to date; to ` +
      `make it a database of its own, run "sluice promote ${database}" first`,
  );
}

async function isCopy(paths: CopyPaths, position: Position): Promise<boolean> {
  if (position.kind === 'promoting') return true;
  // A change may end between both looks. While it is made, there is a journal.
  for (let look = 0; look < 2; look++) {
    const marks = await readMarks(paths.database);
    if (marks !== undefined && findState(position, marks) !== undefined) return true;
    if ((await systemFiles.stat(paths.journal)) !== undefined) return true;
  }
  return false;
}

/** undefined if it is not a database. */
async function readMarks(file: string): Promise<CopyMarks | undefined> {
  const handle = await fs.open(file, 'r');
  try {
    const { size } = await handle.stat();
    const start = new Uint8Array(Math.min(PAGE_BYTES_MAX, size));
    await readFully(handle, start, 0);
    const pageSize = start.length < HEADER_BYTES ? undefined : pageSizeOf(start);
    return pageSize === undefined ? undefined : marksOf(size, start.subarray(0, pageSize));
  } finally {
    await handle.close();
  }
}

async function realPathOf(file: string): Promise<string | undefined> {
  try {
    return await fs.realpath(file);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
