/**
 * Actors that are in part of the runs only. They draw from generators of their own and do not move the
 * clock, so that all others take the same steps with them and without them. Only encryption and intervals change
 * what the replicator does. Two writers begin when everything else is done.
 */

import { randomFrom, type Random } from '../../../packages/core/test/support/random.ts';

export const OPTIONAL_ACTORS = [
  'encryption',
  'follower',
  'drill',
  'merging',
  'intervals',
  'writers',
] as const;

export type OptionalActor = (typeof OPTIONAL_ACTORS)[number];

/** age takes milliseconds for each file, and a drill may start a process. */
const CHANCES: Readonly<Record<OptionalActor, number>> = {
  encryption: 1 / 8,
  follower: 0.35,
  drill: 0.35,
  merging: 0.3,
  intervals: 0.3,
  writers: 0.3,
};
const HOUR_MS = 3_600_000;
const SNAPSHOT_INTERVALS_MS = [20_000, 2 * HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS, undefined];
const SEED_MASK = 0x0f1a_57e2;
const INTERVALS_MASK = 0x3c6e_f372;
const WRITERS_MASK = 0x2b1d_90c7;

/** `intervals` and `writers` have generators of their own: with them and without them, the others are the same. */
export interface Generators {
  readonly random: Random;
  readonly intervals: Random;
  readonly writers: Random;
}

/** The generators of a run. */
export function generatorsOf(seed: number): Generators {
  return {
    random: randomFrom(seed ^ SEED_MASK),
    intervals: randomFrom(seed ^ INTERVALS_MASK),
    writers: randomFrom(seed ^ WRITERS_MASK),
  };
}

/** `chosen`: exactly these, in each run. */
export function drawActors(
  { random, ...own }: Generators,
  chosen: readonly OptionalActor[] | undefined,
): ReadonlySet<OptionalActor> {
  const drawn = OPTIONAL_ACTORS.filter((name) =>
    (name === 'intervals' || name === 'writers' ? own[name] : random).chance(CHANCES[name]),
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
