/**
 * A transaction larger than the tail is committed and fully backfilled while the replicator is away.
 * Just after it has started, the next large transactions restart the log.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor } from './actor.ts';

/** It opens the database within this, and waits longer for the late destination. */
const OPENING_MS_MAX = 800;

export const spilledTail: Actor = {
  when: 'running',
  mayReport: ['WAL_INVALID'],
  act: async (setup) => {
    const { application, random } = setup;
    await application.start(random.int(0, 2 ** 31));
    await application.order({ kind: 'calm' });
    await application.order({ kind: 'small' }); // frames that nobody has backfilled keep the log as it is
    let why = await setup.untilReplicated();
    if (random.chance(0.5)) why ??= await setup.stopReplicator();
    else await setup.killReplicator();
    if (why !== undefined) return why;
    await application.order({ kind: 'large' });
    await application.order({ kind: 'checkpoint', mode: 'PASSIVE' });
    // Nothing is cut before each destination was listed.
    setup.startReplicator(['none', 'late']);
    await setup.replicator?.begun;
    await sleep(random.int(0, OPENING_MS_MAX));
    for (let more = random.int(1, 3); more > 0; more--) {
      await application.order({ kind: 'large' });
      await sleep(random.int(0, 100));
    }
    await application.order({ kind: 'go' });
    return await setup.untilReplicated();
  },
};
