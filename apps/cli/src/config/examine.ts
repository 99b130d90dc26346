/** What is in a file of a directory, by its first bytes. */

import fs from 'node:fs/promises';
import { readFullySync, refuseWarmCopy } from '@sluice/core';
import { isError, messageOf } from '@sluice/core/backend';

export type Examined = 'database' | 'empty' | NoDatabase;

export interface NoDatabase {
  readonly why: string;
  /** Whether that is not known, because the file cannot be read. */
  readonly isUnreadable?: boolean | undefined;
}

/** The first bytes of every database (fileformat2.html). */
const MAGIC = Buffer.from('SQLite format 3\0', 'latin1');

/** In the order of the files. Opens and closes each: not for databases that this process has open. */
export async function examineFiles(files: readonly string[]): Promise<Examined[]> {
  const results: Examined[] = [];
  for (const file of files) results.push(await examine(file));
  return results;
}

async function examine(file: string): Promise<Examined> {
  try {
    const handle = await fs.open(file, 'r');
    try {
      const head = Buffer.alloc(MAGIC.length);
      const bytesRead = readFullySync(handle.fd, head, 0);
      if (bytesRead === 0) return 'empty';
      if (bytesRead < head.length || !head.equals(MAGIC)) {
        return { why: 'it is not a SQLite database, or is encrypted' };
      }
    } finally {
      await handle.close();
    }
    await refuseWarmCopy(file);
    return 'database';
  } catch (error) {
    if (isError(error, 'CONFIG_INVALID')) return { why: error.message };
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'empty'; // it was removed just now
    return { why: `it cannot be read: ${messageOf(error)}`, isUnreadable: true };
  }
}
