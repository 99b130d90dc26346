/**
 * A database that SQLite shows as a mixture of two files. Nobody writes to it. The replicator backs up
 * what SQLite shows, or it says that something is wrong. After that the application gets a new one.
 */

import { compareWithLive } from '../compare.ts';
import { putNextEra } from '../next-era.ts';
import type { Setup } from '../setup.ts';

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
    why = await compareWithLive(setup, which, 'mixture');
    if (why === undefined) return undefined;
  }
  return why;
}

/** The application gets another database, and goes on. */
async function beginAnew(setup: Setup): Promise<string | undefined> {
  await putNextEra(setup);
  setup.startReplicator();
  await setup.application.start(setup.random.int(0, 2 ** 31));
  return await setup.untilReplicated();
}
