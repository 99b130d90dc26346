/**
 * A database that SQLite reads as a mixture of two files, without writers. The replicator must back up
 * the mixture as SQLite reads it, or report an error. After that the application gets a new database.
 */

import { compareWithLive } from '../compare.ts';
import { installNextEra } from '../next-era.ts';
import type { Setup } from '../setup.ts';

const VERIFY_MS_MAX = 10_000;

export async function verifyMixed(setup: Setup): Promise<string | undefined> {
  await setup.application.kill();
  if (setup.replicator === undefined) setup.startReplicator();
  const why = await compareUntilReported(setup);
  return why ?? (await startOver(setup));
}

async function compareUntilReported(setup: Setup): Promise<string | undefined> {
  const deadline = performance.now() + VERIFY_MS_MAX;
  let why: string | undefined;
  while (performance.now() < deadline) {
    const inSync = (await setup.replicator?.settle())?.inSync ?? [];
    const which = [...inSync.keys()].filter((index) => inSync[index]);
    if (setup.events.some(({ kind }) => kind === 'error')) return undefined;
    if (which.length === 0) continue;
    why = await compareWithLive(setup, which, 'mixture');
    if (why === undefined) return undefined;
  }
  return why;
}

/** Gives the application a new database and starts it. */
async function startOver(setup: Setup): Promise<string | undefined> {
  await installNextEra(setup);
  setup.startReplicator();
  await setup.application.start(setup.random.int(0, 2 ** 31));
  return await setup.waitUntilReplicated();
}
