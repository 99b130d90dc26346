/** Starts a second replicator of the same database. It must be refused and do no harm. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor } from './actor.ts';

const REFUSED_MS_MAX = 30_000;

export const secondReplicator: Actor = {
  when: 'running',
  allowedErrors: [],
  act: async (setup) => {
    const why = await setup.waitUntilReplicated(); // now the first one owns the staging folder
    if (why !== undefined) return why;
    const second = setup.startSecond();
    try {
      const deadline = performance.now() + REFUSED_MS_MAX;
      while (performance.now() < deadline) {
        const { events } = second;
        if (events.some(({ kind }) => kind === 'replicated')) break;
        if (events.some(({ kind }) => kind === 'error')) {
          await sleep(setup.random.int(0, 1_000)); // it may retry meanwhile
          break;
        }
        await sleep(20);
      }
      const { events } = second;
      if (events.some(({ kind }) => kind === 'replicated')) {
        return 'a second replicator was not refused and replicates';
      }
      if (!events.some(({ kind }) => kind === 'error')) {
        return 'a second replicator did not report that it was refused';
      }
      return undefined;
    } finally {
      await second.kill();
    }
  },
};
