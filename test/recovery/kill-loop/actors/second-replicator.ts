/** Somebody starts a second replicator of the same database: it is refused, and harms nothing. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor } from './actor.ts';

const REFUSED_MS_MAX = 30_000;

export const secondReplicator: Actor = {
  when: 'running',
  mayReport: [],
  act: async (setup) => {
    const why = await setup.untilReplicated(); // so that it is the first that has the folder
    if (why !== undefined) return why;
    const second = setup.startSecond();
    try {
      const deadline = performance.now() + REFUSED_MS_MAX;
      while (performance.now() < deadline) {
        const { events } = second;
        if (events.some(({ kind }) => kind === 'replicated')) break;
        if (events.some(({ kind }) => kind === 'error')) {
          await sleep(setup.random.int(0, 1_000)); // it may try again meanwhile
          break;
        }
        await sleep(20);
      }
      const { events } = second;
      if (events.some(({ kind }) => kind === 'replicated')) {
        return 'a second replicator was not refused, and replicates';
      }
      if (!events.some(({ kind }) => kind === 'error')) {
        return 'a second replicator does not say that it is refused';
      }
      return undefined;
    } finally {
      await second.kill();
    }
  },
};
