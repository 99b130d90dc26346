/** The replicator stops as at a SIGTERM, beside the application or after it has gone. */

import { compareWithLive } from '../compare.ts';
import type { Actor } from './actor.ts';

export const cleanStop: Actor = {
  when: 'running',
  mayReport: [],
  act: async (setup) => {
    const isAlone = setup.random.chance(0.6);
    if (isAlone) await setup.application.kill();
    const why = await setup.stopReplicator();
    if (why !== undefined || !isAlone) return why;
    if (setup.hasLog) return 'it was the last one connected, and left a log with frames';
    const { sound, drained } = setup;
    const behind = sound.find((index) => !drained.includes(index));
    if (behind !== undefined) return `it stopped well, and destination ${behind} is behind`;
    return await compareWithLive(setup, drained, 'one file');
  },
};
