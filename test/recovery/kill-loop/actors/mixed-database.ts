/**
 * A database that SQLite shows as a mixture of two files. Nobody writes to it. The replicator backs up
 * what SQLite shows, or it says that something is wrong. After that the application gets a new one.
 */

import fs from 'node:fs';
import { compareWithLive } from '../compare.ts';
import { deleteSides, nextEra } from '../next-era.ts';
import type { Setup } from '../setup.ts';
import { HEALED_MS_MAX } from './actor.ts';

const SAID_MS_MAX = 10_000;

export async function judgeMixed(setup: Setup): Promise<string | undefined> {
  await setup.application.kill();
  if (setup.replicator === undefined) setup.startReplicator();
  const why = await compareUntilSaid(setup);
  return why ?? (await beginAnew(setup));
}

async function compareUntilSaid(setup: Setup): Promise<string | undefined> {
  const deadline = performance.now() + SAID_MS_MAX;
  let why: string | undefined;
  while (performance.now() < deadline) {
    const inSync = (await setup.replicator?.settle())?.inSync ?? [];
    const which = [...inSync.keys()].filter((index) => inSync[index]);
    if (setup.events.some(({ kind }) => kind === 'error')) return undefined;
    if (which.length === 0) continue;
    why = await compareWithLive(setup, which);
    if (why === undefined) return undefined;
  }
  return why;
}

/** As the runbook says: everything is stopped, and what is left of the old database is deleted. */
async function beginAnew(setup: Setup): Promise<string | undefined> {
  const { random, application, claims, destinations } = setup;
  await setup.killReplicator();
  application.takeCorruption();
  setup.era += 1; // that of the mixture
  const next = nextEra(setup);
  deleteSides(setup.database);
  fs.renameSync(next, setup.database);
  setup.era += 1;
  for (const index of destinations.keys()) claims.damaged(index, 'mixed', setup.nextLife);
  setup.startReplicator();
  await application.start(random.int(0, 2 ** 31));
  return await setup.untilReplicated(HEALED_MS_MAX);
}
