/** Compares restores with the live database while there are no writers. */

import fs from 'node:fs';
import path from 'node:path';
import { bytesOf, restoreLatest } from './verify.ts';
import { deleteWAL } from './next-era.ts';
import type { Setup } from './setup.ts';

/**
 * Checks that each destination restores, byte for byte, to the database as SQLite reads it. Of a mixture
 * SQLite may read less than the file has: it reads the number of pages in page 1 of one file, while the
 * WAL of the other file has more pages, which checkpoints and our full snapshots include. For a mixture
 * both sides are therefore read through SQLite.
 */
export async function compareWithLive(
  { database, destinations, folder }: Setup,
  which: readonly number[],
  live: 'one file' | 'mixture',
): Promise<string | undefined> {
  const expected = bytesOf(database);
  for (const index of which) {
    const output = path.join(folder, `compared-${index}.db`);
    await restoreLatest({ folder: destinations[index]?.folder ?? '', output });
    const found = live === 'mixture' ? readThroughSQLite(output) : fs.readFileSync(output);
    if (found.equals(expected)) continue;
    const from = found.findIndex((byte, at) => byte !== expected[at]);
    return (
      `destination ${index} was reported as complete and differs from the live database: ` +
      `${found.length} bytes instead of ${expected.length}, different from byte ${from} on`
    );
  }
  return undefined;
}

function readThroughSQLite(file: string): Buffer {
  try {
    return bytesOf(file);
  } finally {
    deleteWAL(file);
  }
}
