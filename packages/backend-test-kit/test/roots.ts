/**
 * In-memory replicas with a root that contains a marker, as in the backends of folders. The first
 * write creates the root. Calls fail if it disappears. The client that created it removes it together
 * with the last file.
 */

import { ReplicationError } from '@sluice/core/backend';

import { plain, type Change, type World } from './world.ts';

/** Called after keys were deleted, to remove the root. */
export type AfterDelete = (path: string, keys: readonly string[]) => void;

/** State of one client. */
export interface RootState {
  /** Markers that the client has read, by path. */
  readonly markers: Map<string, symbol>;
  /** Paths of the roots that the client created. */
  readonly created: Set<string>;
}

export function withRoots(
  change: (correct: AfterDelete, world: World, state: RootState) => AfterDelete = (correct) =>
    correct,
  deletedBy: 'writers' | 'all' = 'writers',
): Change {
  return (client, world, access) => {
    const state: RootState = { markers: new Map(), created: new Set() };
    const { markers, created } = state;
    const check = (path: string): void => {
      const found = world.roots.get(path);
      const isNew = found === undefined && !markers.has(path);
      if (isNew && (access === 'write' || isNotEmpty(world, path))) return;
      if (isNew || (markers.has(path) && markers.get(path) !== found)) throw missing(path);
      if (found !== undefined) markers.set(path, found);
    };
    const prepare = (path: string): void => {
      check(path);
      if (!world.roots.has(path)) {
        world.roots.set(path, Symbol(path));
        created.add(path);
      }
      check(path);
    };
    const correct: AfterDelete = (path) => {
      if (isNotEmpty(world, path) || !created.has(path)) return;
      world.roots.delete(path);
      created.delete(path);
      markers.delete(path);
    };
    const afterDelete = change(correct, world, state);
    return {
      ...plain(client),
      async *list(prefix, options = {}) {
        options.signal?.throwIfAborted();
        check(options.root ?? '');
        yield* client.list(prefix, options);
      },
      async put(key, body, options = {}) {
        options.signal?.throwIfAborted();
        prepare(options.root ?? '');
        return await client.put(key, body, options);
      },
      async delete(keys, options = {}) {
        if (access === 'read' && deletedBy === 'writers') {
          const message = `delete ${keys.join(' ')}: opened for reading`;
          throw new ReplicationError('REPLICA_PERMISSION_DENIED', message);
        }
        await client.delete(keys, options);
        afterDelete(options.root ?? '', keys);
      },
    };
  };
}

function isNotEmpty(world: World, path: string): boolean {
  return world.store.keys(`${path}/`).length > 0;
}

function missing(path: string): ReplicationError {
  return new ReplicationError('REPLICA_DESTINATION_NOT_FOUND', `${path}: the root is missing`);
}
