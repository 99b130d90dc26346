/** Creates the file that replaces the database: a ledger of the next era. */

import fs from 'node:fs';
import path from 'node:path';
import { createLedger } from './ledger.ts';
import type { Setup } from './setup.ts';

/** Creates a database of the next era as a separate file. */
export function nextEra({ folder, era, random, pageSize, attemptedFile }: Setup): string {
  const file = path.join(folder, `era-${era + 1}.db`);
  fs.rmSync(file, { force: true });
  createLedger(file, {
    era: era + 1,
    rows: random.int(50, 500),
    pageSize: random.chance(0.7) ? pageSize : random.pick([1024, 4096]),
    journalMode: random.pick(['wal', 'delete']),
    attempted: attemptedFile,
  });
  return file;
}

/** Deletes the WAL and the wal-index. */
export function deleteWAL(database: string): void {
  for (const side of ['-wal', '-shm']) fs.rmSync(database + side, { force: true });
}

/**
 * Replaces a database that is a mixture of two, as in the runbook: stops everything and deletes the
 * remaining files of the old database.
 */
export async function installNextEra(setup: Setup): Promise<void> {
  const { application, claims, destinations } = setup;
  await Promise.all([setup.killReplicator(), application.kill()]);
  application.takeCorruption();
  setup.era += 1; // the era of the mixture
  const next = nextEra(setup);
  deleteWAL(setup.database);
  fs.renameSync(next, setup.database);
  setup.era += 1;
  setup.mayBeMixed = false;
  for (const index of destinations.keys()) claims.damaged(index, 'mixed', setup.nextRun);
}
