/** The file that comes into the place of the database: a ledger of the next era. */

import fs from 'node:fs';
import path from 'node:path';
import { createLedger } from './ledger.ts';
import type { Setup } from './setup.ts';

/** A database of the next era, as a file of its own. */
export function nextEra({ folder, era, random, pageSize, triedFile }: Setup): string {
  const file = path.join(folder, `era-${era + 1}.db`);
  fs.rmSync(file, { force: true });
  createLedger(file, {
    era: era + 1,
    rows: random.int(50, 500),
    pageSize: random.chance(0.7) ? pageSize : random.pick([1024, 4096]),
    journalMode: random.pick(['wal', 'delete']),
    tried: triedFile,
  });
  return file;
}

/** What SQLite keeps beside a database. */
export function deleteSides(database: string): void {
  for (const side of ['-wal', '-shm']) fs.rmSync(database + side, { force: true });
}
