import { ReplicationError, type Capabilities } from '@sluice/core/backend';

import { withRoots, type AfterDelete, type RootState } from '../roots.ts';
import { ALL, type World } from '../world.ts';
import type { Saboteur } from './saboteur.ts';

const NOTHING_IS_LEFT = 'folders/nothing-is-left';
const STAYS = 'folders/what-holds-anything-stays';
const OTHERS = 'folders/not-what-others-made';

const WITH_FOLDERS: Capabilities = { ...ALL, folders: true };

/** Backends with roots that remove them incorrectly. */
export const EMPTYING_SABOTEURS: readonly Saboteur[] = [
  inRoots('does not remove the marker', [NOTHING_IS_LEFT], () => () => undefined),
  inRoots(
    'fails to delete files after it removed the root',
    [NOTHING_IS_LEFT],
    (correct, world) => {
      const removed = new Set<string>();
      return (path, keys) => {
        if (removed.has(path)) throw new ReplicationError('REPLICA_NOT_FOUND', 'no such folder');
        correct(path, keys);
        if (keys.some(isOfLevel1) && !world.roots.has(path)) removed.add(path);
      };
    },
  ),
  inRoots(
    'still expects the root after removing it',
    [NOTHING_IS_LEFT],
    (correct, _, { markers }) => {
      return (path, keys) => {
        const before = markers.get(path);
        correct(path, keys);
        if (before !== undefined && keys.some(isOfLevel1)) markers.set(path, before);
      };
    },
  ),
  inRoots('removes a folder that is not empty', [STAYS], (correct, world) => (path, keys) => {
    const left = world.store.keys(`${path}/`);
    if (left.some(isOfLevel1)) for (const key of left) world.store.objects.delete(key);
    correct(path, keys);
  }),
  inRoots('deletes named objects with the last file', [STAYS], (correct, world) => (path, keys) => {
    world.store.objects.delete(`${path}/probe`);
    correct(path, keys);
  }),
  inRoots('removes the marker while files remain', [STAYS], (_, world, state) => (path) => {
    if (!state.created.delete(path)) return;
    state.markers.delete(path);
    world.roots.delete(path);
  }),
  inRoots(
    'removes a root that another client created',
    [OTHERS],
    (correct, _, { created }) =>
      (path, keys) => {
        created.add(path);
        correct(path, keys);
      },
  ),
  {
    does: 'lets readers delete',
    group: ['folders/not-by-readers'],
    capabilities: WITH_FOLDERS,
    change: withRoots((correct) => correct, 'all'),
  },
];

/** Whether this is the second file of the folder cases. */
function isOfLevel1(key: string): boolean {
  return /ltx\/1\/0{15}1-0{15}4\.ltx$/.test(key);
}

function inRoots(
  does: string,
  group: readonly string[],
  change: (correct: AfterDelete, world: World, state: RootState) => AfterDelete,
): Saboteur {
  return { does, group, capabilities: WITH_FOLDERS, change: withRoots(change) };
}
