/**
 * Replaces the database file, or deletes its wal-index, while the replicator is down or running. The new
 * file contains the next era of the ledger.
 *
 * If the WAL of the old file stays beside the new one, SQLite itself may mix the two. The replicator must
 * then back up exactly what SQLite reads, or report an error.
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { deleteWAL, nextEra } from '../next-era.ts';
import type { Setup } from '../setup.ts';
import type { Actor } from './actor.ts';
import { verifyMixed } from './mixed-database.ts';

const MAY_REPORT = [
  'DATABASE_REPLACED',
  'DATABASE_INVALID',
  'DATABASE_BUSY',
  'DATABASE_NOT_WAL',
  'WAL_INVALID',
];

export const replacedWhileStopped: Actor = {
  when: 'stopped',
  allowedErrors: MAY_REPORT,
  act: async (setup) => {
    const { random, application } = setup;
    await application.kill();
    const isClean = random.chance(0.5);
    if (isClean) {
      setup.startReplicator();
      const why = (await setup.waitUntilReplicated()) ?? (await setup.stopReplicator());
      if (why !== undefined) return why;
    }
    const way = random.pick(waysOf(setup));
    setup.story.push(isClean ? 'after a clean stop' : 'after a kill', way);
    WAYS[way](setup);
    const live = setup.live();
    if (live.kind === 'unsound') {
      return isClean ? `the live database: ${live.why}` : await verifyMixed(setup);
    }
    setup.era = live.totals.era;
    if (random.chance(0.5)) await application.start(random.int(0, 2 ** 31));
    setup.startReplicator();
    await application.start(random.int(0, 2 ** 31));
    return await setup.waitUntilReplicated();
  },
};

export const replacedWhileRunning: Actor = {
  when: 'running',
  allowedErrors: MAY_REPORT,
  act: async (setup) => {
    const { random, application } = setup;
    const isIdle = random.chance(0.6);
    if (isIdle) await becomeIdle(setup);
    const way = random.pick(waysOf(setup));
    const isOpen = way === 'rename' && random.chance(0.4);
    if (!isOpen) await application.kill();
    setup.story.push(isIdle ? 'while idle' : 'while busy', way);
    setup.mayBeMixed = LEAVES_LOG.has(way);
    WAYS[way](setup);
    if (isOpen) {
      await sleep(random.int(0, 500)); // it keeps writing to the file that it has open
      await application.kill();
      setup.story.push('with the application open');
    }
    await sleep(random.int(0, 1_500));
    const live = setup.live();
    setup.story.push(live.kind);
    if (live.kind === 'unsound') return await verifyMixed(setup);
    setup.era = live.totals.era;
    await application.start(random.int(0, 2 ** 31));
    const why = await setup.waitUntilReplicated();
    return setup.mayBeMixed && application.sawCorruption ? await verifyMixed(setup) : why;
  },
};

/** Pauses the writer until the WAL is backfilled and the replicator's read transaction holds no frame. */
async function becomeIdle({ application }: Setup): Promise<void> {
  await application.order({ kind: 'pause' });
  for (let times = 0; times < 2; times++) {
    await application.order({ kind: 'checkpoint', mode: 'PASSIVE' });
    await sleep(600);
  }
}

type Way = keyof typeof WAYS;

const WAYS = {
  rename: (setup: Setup) => fs.renameSync(nextEra(setup), setup.database),
  copy: (setup: Setup) => fs.copyFileSync(nextEra(setup), setup.database),
  'rename, log deleted': (setup: Setup) => {
    const next = nextEra(setup);
    deleteWAL(setup.database);
    fs.renameSync(next, setup.database);
  },
  'vacuum and rename': (setup: Setup) => {
    const vacuumed = path.join(setup.folder, 'vacuumed.db');
    fs.rmSync(vacuumed, { force: true });
    const database = new Database(setup.database, { readonly: true, timeout: 5000 });
    database.prepare('VACUUM INTO ?').run(vacuumed);
    database.close();
    fs.renameSync(vacuumed, setup.database);
  },
  'wal-index deleted': (setup: Setup) => fs.rmSync(`${setup.database}-shm`, { force: true }),
  'link moved': (setup: Setup) => {
    setup.database = nextEra(setup);
    const link = `${setup.watched}.new`;
    fs.symlinkSync(path.basename(setup.database), link);
    fs.renameSync(link, setup.watched);
  },
} as const;

/** Ways that leave the WAL and wal-index of the old file beside the new one. */
const LEAVES_LOG: ReadonlySet<Way> = new Set(['rename', 'copy', 'vacuum and rename']);

function waysOf(setup: Setup): Way[] {
  const ways = Object.keys(WAYS) as Way[];
  return setup.watched === setup.database ? ways.filter((way) => way !== 'link moved') : ways;
}
