/** While the replicator is away a destination loses files, or is put back as it once was. */

import fs from 'node:fs';
import path from 'node:path';
import type { Setup } from '../setup.ts';
import type { Actor } from './actor.ts';

export const damagedDestination: Actor = {
  when: 'running',
  mayReport: [],
  act: async (setup) => {
    const { random, application, destinations, claims } = setup;
    await application.start(random.int(0, 2 ** 31));
    // Without checkpoints of the application the log goes on, and with it the history.
    if (random.chance(0.7)) await application.order({ kind: 'calm' });
    for (let files = random.int(1, 4); files > 0; files--) {
      await application.order({ kind: 'small' });
      const why = await setup.untilReplicated();
      if (why !== undefined) return why;
    }
    await setup.killReplicator();
    const index = random.int(0, destinations.length - 1);
    const damage = random.pick(PICKS);
    setup.story.push(`destination ${index}, ${damage}`);
    claims.damaged(index, 'lost files', setup.nextLife);
    DAMAGES[damage](setup, index);
    setup.startReplicator();
    await application.order({ kind: 'small' });
    return await setup.untilReplicated();
  },
};

type Damage = (setup: Setup, destination: number) => void;

const DAMAGES = {
  emptied: (setup, index) => fs.rmSync(ltxOf(setup, index), { recursive: true, force: true }),
  'an older copy': (setup, index) => {
    const isBack = setup.copies.putBack(setup.destinations[index]?.folder ?? '');
    if (!isBack) fs.rmSync(ltxOf(setup, index), { recursive: true, force: true });
  },
  'newest lost': (setup, index) => {
    const folder = levelOf(setup, index, 0);
    for (const name of namesIn(folder).slice(-setup.random.int(1, 4))) {
      fs.rmSync(path.join(folder, name));
    }
  },
  /** Among the files that the newest state cannot do without, where there are such. */
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
  /** Everything but the newest increments. */
  'base lost': (setup, index) => {
    fs.rmSync(levelOf(setup, index, 9), { recursive: true, force: true });
    const folder = levelOf(setup, index, 0);
    for (const name of namesIn(folder).slice(0, -setup.random.int(1, 3))) {
      fs.rmSync(path.join(folder, name));
    }
  },
} as const satisfies Record<string, Damage>;

/** Most often what a look at the newest file does not show. */
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
