/**
 * Replicas with a root and a marker in it, as folders have them, over a place in memory: made by the
 * first write, missed when it is gone, and removed with the last file by the client that made it.
 */

import { ReplicationError } from '@sluice/core/backend';

import { plain, type Change, type World } from './world.ts';

/** What becomes of a root after a delete of keys. */
export type AfterDelete = (path: string, keys: readonly string[]) => void;

/** The state of one connection. */
export interface Seen {
  /** The markers that it has seen. */
  readonly markers: Map<string, symbol>;
  /** The roots that it made. */
  readonly made: Set<string>;
}

export function withRoots(
  change: (right: AfterDelete, world: World, seen: Seen) => AfterDelete = (right) => right,
  deletedBy: 'writers' | 'all' = 'writers',
): Change {
  return (client, world, access) => {
    const seen: Seen = { markers: new Map(), made: new Set() };
    const { markers, made } = seen;
    const look = (path: string): void => {
      const found = world.roots.get(path);
      const isNew = found === undefined && !markers.has(path);
      if (isNew && (access === 'write' || holdsAnything(world, path))) return;
      if (isNew || (markers.has(path) && markers.get(path) !== found)) throw gone(path);
      if (found !== undefined) markers.set(path, found);
    };
    const prepare = (path: string): void => {
      look(path);
      if (!world.roots.has(path)) {
        world.roots.set(path, Symbol(path));
        made.add(path);
      }
      look(path);
    };
    const right: AfterDelete = (path) => {
      if (holdsAnything(world, path) || !made.has(path)) return;
      world.roots.delete(path);
      made.delete(path);
      markers.delete(path);
    };
    const afterDelete = change(right, world, seen);
    return {
      ...plain(client),
      async *list(prefix, options = {}) {
        options.signal?.throwIfAborted();
        look(options.root ?? '');
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

function holdsAnything(world: World, path: string): boolean {
  return world.store.keys(`${path}/`).length > 0;
}

function gone(path: string): ReplicationError {
  return new ReplicationError('REPLICA_DESTINATION_NOT_FOUND', `${path}: it is not there`);
}
