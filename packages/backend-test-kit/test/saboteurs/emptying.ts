import { ReplicationError } from '@sluice/core/backend';

import { withRoots, type RemoveEmpty, type Seen } from '../roots.ts';
import type { World } from '../world.ts';
import type { Saboteur } from './saboteur.ts';

/** Destinations with roots, which remove them in a way of their own. */
export const EMPTYING_SABOTEURS: readonly Saboteur[] = [
  inRoots('leaves the marker', ['remove-empty/nothing-is-left'], () => async () => undefined),
  inRoots('cannot remove what is gone', ['remove-empty/nothing-is-left'], (right, world) => {
    return async (path) => {
      if (!world.roots.has(path)) throw new ReplicationError('REPLICA_NOT_FOUND', 'no such folder');
      await right(path);
    };
  }),
  inRoots('keeps in mind what it removed', ['remove-empty/nothing-is-left'], (right, _, seen) => {
    return async (path) => {
      const before = seen.get(path);
      await right(path);
      if (before !== undefined) seen.set(path, before);
    };
  }),
  inRoots(
    'removes what is not empty',
    ['remove-empty/what-holds-anything-stays'],
    (right, world) => async (path) => {
      for (const key of world.store.keys(`${path}/`)) world.store.objects.delete(key);
      await right(path);
    },
  ),
  inRoots(
    'takes named objects for nothing',
    ['remove-empty/what-holds-anything-stays'],
    (right, world) => async (path) => {
      world.store.objects.delete(`${path}/probe`);
      await right(path);
    },
  ),
  inRoots(
    'removes the marker above what it leaves',
    ['remove-empty/what-holds-anything-stays'],
    (_, world, seen) => async (path) => {
      if (seen.delete(path)) world.roots.delete(path);
    },
  ),
  inRoots(
    'removes a marker that it has never seen',
    ['remove-empty/not-what-others-began'],
    (right, world, seen) => async (path) => {
      const theirs = world.roots.get(path);
      if (theirs !== undefined) seen.set(path, theirs);
      await right(path);
    },
  ),
  {
    does: 'lets readers remove what is empty',
    group: ['remove-empty/not-by-readers'],
    change: withRoots((right) => right, 'all'),
  },
];

function inRoots(
  does: string,
  group: readonly string[],
  change: (right: RemoveEmpty, world: World, seen: Seen) => RemoveEmpty,
): Saboteur {
  return { does, group, change: withRoots(change) };
}
