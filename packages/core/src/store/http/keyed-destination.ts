/** A destination out of what a vendor's requests are: see keyed-store.ts. */

import type { Destination } from '../backend.ts';
import type { AbortableOptions } from '../client.ts';
import { describeReplica } from '../../replica/describe.ts';
import { KeyedDeletes } from './keyed-deleting.ts';
import { KeyedObjects } from './keyed-objects.ts';
import { KeyedReplica } from './keyed-replica.ts';
import { KeyedRoots } from './keyed-roots.ts';
import type { KeyedStore } from './keyed-store.ts';

/** Sends nothing: what is not right is told by the first call. */
export function keyedDestination(store: KeyedStore): Destination {
  const { name, capabilities } = store;
  const deletes = new KeyedDeletes(store);
  const roots = new KeyedRoots(store);
  let closed: Promise<void> | undefined;
  return {
    name,
    capabilities,
    replica: (path) => new KeyedReplica(store, { deletes, roots }, path),
    ...(store.access === 'read' && {
      async lookBeside(path: string, { signal }: AbortableOptions = {}) {
        const what = `list level all at ${describeReplica(name, path)}`;
        await roots.lookBeside(path, { what, signal });
      },
    }),
    objects: (path) => new KeyedObjects(store, roots, path),
    close: async () => await (closed ??= store.work.close().then(() => store.close())),
  };
}
