/**
 * Replicas with a root and a marker in it, as folders have them, over a place in memory: made by the
 * first write, missed when it is gone, and there when all files are, until it is removed.
 */

import { ReplicationError, type Destination } from '@sluice/core/backend';

import { changeFiles, changeObjects, type Change, type World } from './world.ts';

export type RemoveEmpty = NonNullable<Destination['removeEmpty']>;

/** Of one connection: the markers that it has seen. */
export type Seen = Map<string, symbol>;

export function withRoots(
  change: (right: RemoveEmpty, world: World, seen: Seen) => RemoveEmpty = (right) => right,
  givenTo: 'writers' | 'all' = 'writers',
): Change {
  return (bare, world, access) => {
    const seen: Seen = new Map();
    const look = (path: string): void => {
      const found = world.roots.get(path);
      const isNew = found === undefined && !seen.has(path);
      if (isNew && (access === 'write' || holdsAnything(world, path))) return;
      if (isNew || (seen.has(path) && seen.get(path) !== found)) throw gone(path);
      if (found !== undefined) seen.set(path, found);
    };
    const prepare = (path: string): void => {
      look(path);
      if (!world.roots.has(path)) world.roots.set(path, Symbol(path));
      look(path);
    };
    const right: RemoveEmpty = async (path) => {
      if (holdsAnything(world, path) || !seen.has(path)) return;
      if (seen.get(path) === world.roots.get(path)) world.roots.delete(path);
      seen.delete(path);
    };
    const destination = changeObjects(
      changeFiles(bare, (client, path) => ({
        async *listFiles(level, options) {
          options?.signal?.throwIfAborted();
          look(path);
          yield* client.listFiles(level, options);
        },
        async writeFile(file, body, options) {
          options?.signal?.throwIfAborted();
          prepare(path);
          return await client.writeFile(file, body, options);
        },
      })),
      (objects, path) => ({
        async put(...given) {
          prepare(path);
          return await objects.put(...given);
        },
      }),
    );
    if (access === 'read' && givenTo === 'writers') return destination;
    return { ...destination, removeEmpty: change(right, world, seen) };
  };
}

function holdsAnything(world: World, path: string): boolean {
  return world.store.keys(`${path}/`).length > 0;
}

function gone(path: string): ReplicationError {
  return new ReplicationError('REPLICA_DESTINATION_NOT_FOUND', `${path}: it is not there`);
}
