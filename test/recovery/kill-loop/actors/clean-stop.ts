/** Stops the replicator as on SIGTERM, beside the application or after it was killed. */

import { compareWithLive } from '../compare.ts';
import type { Actor } from './actor.ts';

export const cleanStop: Actor = {
  when: 'running',
  allowedErrors: [],
  act: async (setup) => {
    const isAlone = setup.random.chance(0.6);
    if (isAlone) await setup.application.kill();
    const why = await setup.stopReplicator();
    if (why !== undefined || !isAlone) return why;
    if (setup.hasLog) return 'the replicator had the last connection and left a WAL with frames';
    const { sound, drained } = setup;
    const behind = sound.find((index) => !drained.includes(index));
    if (behind !== undefined) return `after a clean stop destination ${behind} is behind`;
    return await compareWithLive(setup, drained, 'one file');
  },
};
