import { ReplicationError, type Capabilities } from '@sluice/core/backend';

import { withRoots, type AfterDelete, type Seen } from '../roots.ts';
import { ALL, type World } from '../world.ts';
import type { Saboteur } from './saboteur.ts';

const NOTHING_IS_LEFT = 'folders/nothing-is-left';
const STAYS = 'folders/what-holds-anything-stays';
const OTHERS = 'folders/not-what-others-made';

const WITH_FOLDERS: Capabilities = { ...ALL, folders: true };

/** Clients with roots, which remove them in a way of their own. */
export const EMPTYING_SABOTEURS: readonly Saboteur[] = [
  inRoots('leaves the marker', [NOTHING_IS_LEFT], () => () => undefined),
  inRoots('fails to delete where it removed all', [NOTHING_IS_LEFT], (right, world) => {
    const removed = new Set<string>();
    return (path, keys) => {
      if (removed.has(path)) throw new ReplicationError('REPLICA_NOT_FOUND', 'no such folder');
      right(path, keys);
      if (keys.some(isOfLevel1) && !world.roots.has(path)) removed.add(path);
    };
  }),
  inRoots('remembers the root that it removed', [NOTHING_IS_LEFT], (right, _, { markers }) => {
    return (path, keys) => {
      const before = markers.get(path);
      right(path, keys);
      if (before !== undefined && keys.some(isOfLevel1)) markers.set(path, before);
    };
  }),
  inRoots('removes what is not empty', [STAYS], (right, world) => (path, keys) => {
    const left = world.store.keys(`${path}/`);
    if (left.some(isOfLevel1)) for (const key of left) world.store.objects.delete(key);
    right(path, keys);
  }),
  inRoots('takes named objects for nothing', [STAYS], (right, world) => (path, keys) => {
    world.store.objects.delete(`${path}/probe`);
    right(path, keys);
  }),
  inRoots('removes the marker above what it leaves', [STAYS], (_, world, seen) => (path) => {
    if (!seen.made.delete(path)) return;
    seen.markers.delete(path);
    world.roots.delete(path);
  }),
  inRoots('removes a root that it did not make', [OTHERS], (right, _, { made }) => (path, keys) => {
    made.add(path);
    right(path, keys);
  }),
  {
    does: 'lets readers delete',
    group: ['folders/not-by-readers'],
    capabilities: WITH_FOLDERS,
    change: withRoots((right) => right, 'all'),
  },
];

/** The second file of the cases of folders. */
function isOfLevel1(key: string): boolean {
  return /ltx\/1\/0{15}1-0{15}4\.ltx$/.test(key);
}

function inRoots(
  does: string,
  group: readonly string[],
  change: (right: AfterDelete, world: World, seen: Seen) => AfterDelete,
): Saboteur {
  return { does, group, capabilities: WITH_FOLDERS, change: withRoots(change) };
}
