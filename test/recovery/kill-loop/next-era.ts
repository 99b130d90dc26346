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

/**
 * In the place of a database that is a mixture of two. As the runbook says: everything is stopped, and
 * what is left of the old one is deleted.
 */
export async function putNextEra(setup: Setup): Promise<void> {
  const { application, claims, destinations } = setup;
  await Promise.all([setup.killReplicator(), application.kill()]);
  application.takeCorruption();
  setup.era += 1; // that of the mixture
  const next = nextEra(setup);
  deleteSides(setup.database);
  fs.renameSync(next, setup.database);
  setup.era += 1;
  setup.mayBeMixed = false;
  for (const index of destinations.keys()) claims.damaged(index, 'mixed', setup.nextLife);
}
