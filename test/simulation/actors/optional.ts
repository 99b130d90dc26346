/**
 * Actors that are in part of the runs only. They draw from a generator of their own and do not move the
 * clock, so that all others take the same steps with them and without them. Only encryption changes what the
 * replicator does.
 */

import { randomFrom, type Random } from '../../../packages/core/test/support/random.ts';

export const OPTIONAL_ACTORS = ['encryption', 'follower', 'drill', 'merging'] as const;

export type OptionalActor = (typeof OPTIONAL_ACTORS)[number];

/** age takes milliseconds for each file, and a drill may start a process. */
const CHANCES: Readonly<Record<OptionalActor, number>> = {
  encryption: 1 / 8,
  follower: 0.35,
  drill: 0.35,
  merging: 0.3,
};
const SEED_MASK = 0x0f1a_57e2;

/** The generator of the optional actors. */
export function optionalRandom(seed: number): Random {
  return randomFrom(seed ^ SEED_MASK);
}

/** `chosen`: exactly these, in each run. */
export function drawActors(
  random: Random,
  chosen: readonly OptionalActor[] | undefined,
): ReadonlySet<OptionalActor> {
  const drawn = OPTIONAL_ACTORS.filter((name) => random.chance(CHANCES[name]));
  return new Set(chosen ?? drawn);
}

export function isOptionalActor(name: string): name is OptionalActor {
  return OPTIONAL_ACTORS.some((each) => each === name);
}
