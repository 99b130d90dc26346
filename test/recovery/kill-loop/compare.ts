/** Compares what destinations give back with what SQLite shows, while nobody writes. */

import fs from 'node:fs';
import path from 'node:path';
import { bytesOf, restoreLatest } from './judge.ts';
import type { Setup } from './setup.ts';

/** Each of the destinations gives back, byte for byte, what SQLite shows. */
export async function compareWithLive(
  { database, destinations, folder }: Setup,
  which: readonly number[],
): Promise<string | undefined> {
  const expected = bytesOf(database);
  for (const index of which) {
    const output = path.join(folder, `compared-${index}.db`);
    await restoreLatest({ folder: destinations[index]?.folder ?? '', output });
    const found = fs.readFileSync(output);
    if (found.equals(expected)) continue;
    const from = found.findIndex((byte, at) => byte !== expected[at]);
    return (
      `destination ${index} has everything, it said, and is not what SQLite shows: ` +
      `${found.length} bytes for ${expected.length}, other ones from ${from} on`
    );
  }
  return undefined;
}
