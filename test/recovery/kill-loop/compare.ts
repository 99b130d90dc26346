/** Compares what destinations give back with what SQLite shows, while nobody writes. */

import fs from 'node:fs';
import path from 'node:path';
import { bytesOf, restoreLatest } from './judge.ts';
import { deleteSides } from './next-era.ts';
import type { Setup } from './setup.ts';

/**
 * Each of the destinations gives back, byte for byte, what SQLite shows. Of a mixture SQLite may show
 * less than the file has: as many pages as page 1 of the one file says, while the log of the other
 * file has more, which a checkpoint and our image write. There both are compared as SQLite shows them.
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
    const found = live === 'mixture' ? shown(output) : fs.readFileSync(output);
    if (found.equals(expected)) continue;
    const from = found.findIndex((byte, at) => byte !== expected[at]);
    return (
      `destination ${index} has everything, it said, and is not what SQLite shows: ` +
      `${found.length} bytes for ${expected.length}, other ones from ${from} on`
    );
  }
  return undefined;
}

function shown(file: string): Buffer {
  try {
    return bytesOf(file);
  } finally {
    deleteSides(file);
  }
}
