/**
 * Fills the volume of the staging folder for a while, also across a kill, or limits the file size of
 * the replicator. Writes are then short first and fail afterwards.
 */

import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Setup } from '../setup.ts';
import type { Actor } from './actor.ts';

const FREE_BYTES_MAX = 300_000;
/** The process's own report file still fits. */
const FILE_BYTES_MIN = 200_000;
const FILE_BYTES_MAX = 600_000;

export const fullDisk: Actor = {
  when: 'running',
  allowedErrors: [
    'STAGING_FULL',
    'STAGING_FAILED',
    'REPLICA_FULL',
    'REPLICA_UNSUPPORTED', // a file above the size limit
    'DATABASE_INVALID', // the same limit, hit by SQLite in that process: SQLITE_IOERR_WRITE
  ],
  act: async (setup) => {
    const { random, application } = setup;
    await application.start(random.int(0, 2 ** 31));
    if (setup.volume === undefined || random.chance(0.3)) await limitFiles(setup);
    else await fillVolume(setup);
    return await setup.waitUntilReplicated();
  },
};

async function fillVolume(setup: Setup): Promise<void> {
  const { random, application, volume } = setup;
  volume?.fill(random.int(0, FREE_BYTES_MAX));
  for (let steps = random.int(1, 4); steps > 0; steps--) {
    await sleep(random.int(0, 800));
    if (random.chance(0.5)) await application.order({ kind: 'large' });
    volume?.fill(random.int(0, FREE_BYTES_MAX));
  }
  if (random.chance(0.3)) {
    await setup.killReplicator();
    setup.startReplicator();
    await sleep(random.int(0, 2_000));
  }
  volume?.free();
}

async function limitFiles({ random, application, replicator }: Setup): Promise<void> {
  const limit = (bytes: string): void => {
    spawnSync('prlimit', ['--pid', String(replicator?.pid), `--fsize=${bytes}:`]);
  };
  limit(String(random.int(FILE_BYTES_MIN, FILE_BYTES_MAX)));
  await sleep(random.int(0, 500));
  await application.order({ kind: 'large' });
  await sleep(random.int(200, 2_000));
  limit('unlimited');
}
