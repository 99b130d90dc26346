/**
 * Actors that are in part of the runs only. They draw from generators of their own and do not move the
 * clock, so that all others take the same steps with them and without them. Only encryption changes what the
 * replicator does. Two writers begin when everything else is done.
 */

import { randomFrom, type Random } from '../../../packages/core/test/support/random.ts';

export const OPTIONAL_ACTORS = ['encryption', 'follower', 'drill', 'merging', 'writers'] as const;

export type OptionalActor = (typeof OPTIONAL_ACTORS)[number];

/** age takes milliseconds for each file, and a drill may start a process. */
const CHANCES: Readonly<Record<OptionalActor, number>> = {
  encryption: 1 / 8,
  follower: 0.35,
  drill: 0.35,
  merging: 0.3,
  writers: 0.3,
};
const SEED_MASK = 0x0f1a_57e2;
const WRITERS_MASK = 0x2b1d_90c7;

/** The generator of the optional actors. */
export function optionalRandom(seed: number): Random {
  return randomFrom(seed ^ SEED_MASK);
}

/** The generator of two writers. */
export function writersRandom(seed: number): Random {
  return randomFrom(seed ^ WRITERS_MASK);
}

/** `chosen`: exactly these, in each run. */
export function drawActors(
  generators: { readonly random: Random; readonly writers: Random },
  chosen: readonly OptionalActor[] | undefined,
): ReadonlySet<OptionalActor> {
  const { random, writers } = generators;
  const drawn = OPTIONAL_ACTORS.filter((name) =>
    (name === 'writers' ? writers : random).chance(CHANCES[name]),
  );
  return new Set(chosen ?? drawn);
}

export function isOptionalActor(name: string): name is OptionalActor {
  return OPTIONAL_ACTORS.some((each) => each === name);
}
