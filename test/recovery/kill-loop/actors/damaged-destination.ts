/** While the replicator is down, deletes files of a destination or replaces it with an older copy. */

import fs from 'node:fs';
import path from 'node:path';
import type { Setup } from '../setup.ts';
import type { Actor } from './actor.ts';

export const damagedDestination: Actor = {
  when: 'running',
  allowedErrors: [],
  act: async (setup) => {
    const { random, application, destinations, claims } = setup;
    await application.start(random.int(0, 2 ** 31));
    // Without checkpoints by the application the WAL does not restart, so replication can resume.
    if (random.chance(0.7)) await application.order({ kind: 'pause' });
    for (let files = random.int(1, 4); files > 0; files--) {
      await application.order({ kind: 'small' });
      const why = await setup.waitUntilReplicated();
      if (why !== undefined) return why;
    }
    await setup.killReplicator();
    const index = random.int(0, destinations.length - 1);
    const damage = random.pick(PICKS);
    setup.story.push(`destination ${index}, ${damage}`);
    claims.damaged(index, 'lost files', setup.nextRun);
    DAMAGES[damage](setup, index);
    setup.startReplicator();
    await application.order({ kind: 'small' });
    return await setup.waitUntilReplicated();
  },
};

type Damage = (setup: Setup, destination: number) => void;

const DAMAGES = {
  emptied: (setup, index) => fs.rmSync(ltxOf(setup, index), { recursive: true, force: true }),
  'an older copy': (setup, index) => {
    const hadCopy = setup.copies.putBack(setup.destinations[index]?.folder ?? '');
    if (!hadCopy) fs.rmSync(ltxOf(setup, index), { recursive: true, force: true });
  },
  'newest lost': (setup, index) => {
    const folder = levelOf(setup, index, 0);
    for (const name of namesIn(folder).slice(-setup.random.int(1, 4))) {
      fs.rmSync(path.join(folder, name));
    }
  },
  /** Deletes files that the newest state needs, if there are any. */
  'a hole': (setup, index) => {
    const folder = levelOf(setup, index, 0);
    const snapshot =
      namesIn(levelOf(setup, index, 9))
        .at(-1)
        ?.slice(17, 33) ?? '';
    const all = namesIn(folder).slice(0, -1);
    const needed = all.filter((name) => name.slice(0, 16) > snapshot);
    const names = needed.length === 0 ? all : needed;
    const from = setup.random.int(0, Math.max(0, names.length - 1));
    for (const name of names.slice(from, from + setup.random.int(1, 3))) {
      fs.rmSync(path.join(folder, name));
    }
  },
  /** Deletes everything except the newest increments. */
  'base lost': (setup, index) => {
    fs.rmSync(levelOf(setup, index, 9), { recursive: true, force: true });
    const folder = levelOf(setup, index, 0);
    for (const name of namesIn(folder).slice(0, -setup.random.int(1, 3))) {
      fs.rmSync(path.join(folder, name));
    }
  },
} as const satisfies Record<string, Damage>;

/** Damage that cannot be seen from the newest file is picked more often. */
const PICKS = [
  ...(Object.keys(DAMAGES) as (keyof typeof DAMAGES)[]),
  'a hole',
  'base lost',
] as const;

function ltxOf({ destinations }: Setup, index: number): string {
  return path.join(destinations[index]?.folder ?? '', 'ltx');
}

function levelOf(setup: Setup, index: number, level: number): string {
  return path.join(ltxOf(setup, index), String(level));
}

function namesIn(folder: string): string[] {
  return fs.existsSync(folder) ? fs.readdirSync(folder).sort() : [];
}
