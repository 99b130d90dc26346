/**
 * Actors that are in part of the runs only. They draw from a generator of their own and do not move the
 * clock, so that all others take the same steps with them and without them. Only encryption and intervals change
 * what the replicator does.
 */

import { randomFrom, type Random } from '../../../packages/core/test/support/random.ts';

export const OPTIONAL_ACTORS = ['encryption', 'follower', 'drill', 'merging', 'intervals'] as const;

export type OptionalActor = (typeof OPTIONAL_ACTORS)[number];

/** age takes milliseconds for each file, and a drill may start a process. */
const CHANCES: Readonly<Record<OptionalActor, number>> = {
  encryption: 1 / 8,
  follower: 0.35,
  drill: 0.35,
  merging: 0.3,
  intervals: 0.3,
};
const HOUR_MS = 3_600_000;
const SNAPSHOT_INTERVALS_MS = [20_000, 2 * HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS, undefined];
const SEED_MASK = 0x0f1a_57e2;
const INTERVALS_MASK = 0x3c6e_f372;

/** The generator of the optional actors. */
export function optionalRandom(seed: number): Random {
  return randomFrom(seed ^ SEED_MASK);
}

/** The generator of the snapshot intervals. With them and without them, the other optional actors are the same. */
export function intervalsRandom(seed: number): Random {
  return randomFrom(seed ^ INTERVALS_MASK);
}

/** `chosen`: exactly these, in each run. */
export function drawActors(
  random: Random,
  intervals: Random,
  chosen: readonly OptionalActor[] | undefined,
): ReadonlySet<OptionalActor> {
  const drawn = OPTIONAL_ACTORS.filter((name) =>
    (name === 'intervals' ? intervals : random).chance(CHANCES[name]),
  );
  return new Set(chosen ?? drawn);
}

/** The snapshot interval of a destination. */
export function drawInterval(random: Random): number | undefined {
  return random.pick(SNAPSHOT_INTERVALS_MS);
}

export function isOptionalActor(name: string): name is OptionalActor {
  return OPTIONAL_ACTORS.some((each) => each === name);
}
