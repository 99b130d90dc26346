/** All actors, and the random choice of one for a round. Most rounds have no actor. */

import type { Random } from '../../../../packages/core/test/support/random.ts';
import type { Actor } from './actor.ts';
import { cleanStop } from './clean-stop.ts';
import { clockStep } from './clock-step.ts';
import { damagedDestination } from './damaged-destination.ts';
import { damagedStaging } from './damaged-staging.ts';
import { fullDisk } from './full-disk.ts';
import { replacedWhileRunning, replacedWhileStopped } from './replaced-file.ts';
import { secondReplicator } from './second-replicator.ts';
import { spilledTail } from './spilled-tail.ts';

const ACTORS = {
  'spilled tail': spilledTail,
  'clean stop': cleanStop,
  'replaced while stopped': replacedWhileStopped,
  'replaced while running': replacedWhileRunning,
  'clock step': clockStep,
  'damaged staging': damagedStaging,
  'damaged destination': damagedDestination,
  'full disk': fullDisk,
  'second replicator': secondReplicator,
} as const satisfies Record<string, Actor>;

export type ActorName = keyof typeof ACTORS;

export interface NamedActor extends Actor {
  readonly name: ActorName;
}

/** Share of the rounds with an actor. */
const ACTOR_SHARE = 0.2;

/** If `only` is given, it acts in every round. */
export function pickActor(random: Random, only: ActorName | undefined): NamedActor | undefined {
  const hasActor = random.chance(ACTOR_SHARE);
  const picked = random.pick(ACTOR_NAMES);
  if (only === undefined && !hasActor) return undefined;
  const name = only ?? picked;
  return { name, ...ACTORS[name] };
}

export const ACTOR_NAMES: readonly ActorName[] = Object.keys(ACTORS) as ActorName[];
