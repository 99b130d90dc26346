/** Steps the replicator's wall clock back or ahead, and returns it at once or much later. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor } from './actor.ts';

const MINUTE_MS = 60_000;
const STEPS_MS = [
  -60 * MINUTE_MS,
  -60 * MINUTE_MS,
  365 * 24 * 60 * MINUTE_MS,
  24 * 60 * MINUTE_MS,
  -MINUTE_MS / 20,
] as const;

export const clockStep: Actor = {
  when: 'running',
  allowedErrors: [],
  act: async (setup) => {
    const { random, application } = setup;
    await application.start(random.int(0, 2 ** 31));
    // A sync request forces a cut, so automatic cuts are only tested without requests.
    const mode = random.chance(0.7) ? 'none' : 'often';
    setup.replicator?.send({ kind: 'syncs', mode });
    const before = setup.clockOffsetMs;
    const offset = before === 0 ? random.pick(STEPS_MS) : 0;
    setup.story.push(`syncs ${mode}, from ${before} to ${offset} ms`);
    setup.moveClock(offset);
    if (random.chance(0.5)) {
      const durationMs = random.int(100, 1_500);
      await sleep(durationMs);
      setup.story.push(`back after ${durationMs} ms`);
      setup.moveClock(before);
    }
    // A busy application fills the tail, and a full tail is cut without waiting for the interval.
    if (random.chance(0.7)) await application.order({ kind: 'pause' });
    await application.order({ kind: 'small' });
    return await setup.waitUntilReplicated();
  },
};
