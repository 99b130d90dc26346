/**
 * A transaction larger than the tail is committed and fully backfilled while the replicator is down.
 * Just after its start, the next large transactions restart the WAL.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { compareWithLive } from '../compare.ts';
import type { Actor } from './actor.ts';

/** Shorter than the listing of a late destination takes. */
const LISTING_MS_MAX = 1_200;

export const spilledTail: Actor = {
  when: 'running',
  allowedErrors: ['WAL_INVALID'],
  act: async (setup) => {
    const { application, random } = setup;
    await application.start(random.int(0, 2 ** 31));
    await application.order({ kind: 'pause' });
    const reader = holdLog(setup.database);
    try {
      await application.order({ kind: 'small' });
      let why = await setup.waitUntilReplicated();
      if (random.chance(0.5)) why ??= await setup.stopReplicator();
      else await setup.killReplicator();
      if (why !== undefined) return why;
      await application.order({ kind: 'large' });
    } finally {
      reader.close();
    }
    await application.order({ kind: 'checkpoint', mode: 'PASSIVE' });
    // Nothing is cut before all destinations are listed.
    setup.startReplicator(['none', 'late']);
    await setup.replicator?.opened();
    await sleep(random.int(0, LISTING_MS_MAX));
    for (let more = random.int(1, 3); more > 0; more--) {
      await application.order({ kind: 'large' });
      await sleep(random.int(0, 100));
    }
    const why = await setup.waitUntilReplicated();
    if (why !== undefined) return why;
    const differs = await compareWithLive(setup, setup.sound, 'one file');
    await application.order({ kind: 'resume' });
    return differs ?? (await setup.waitUntilReplicated());
  },
};

/** Opens a read transaction: later commits cannot be backfilled, so the WAL does not restart. */
function holdLog(database: string): Database.Database {
  const reader = new Database(database, { readonly: true, timeout: 5000 });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM sqlite_master').get();
  return reader;
}
