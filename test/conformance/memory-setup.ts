/** A place in memory for the suite. */

import type { ReplicaClient } from '@sluice/core/backend';
import { MemoryStore } from '@sluice/core/backend/testing';
import type { Setup } from './suite.ts';

/** `connect` returns a client of the store. */
export function memorySetup(connect: (store: MemoryStore) => ReplicaClient): Setup {
  const store = new MemoryStore();
  let paths = 0;
  return {
    connect: async () => connect(store),
    newPath: () => `replica-${(paths += 1)}`,
    raw: {
      async put(key, bytes) {
        store.put(key, bytes, { modifiedAt: new Date() });
      },
      keys: async (prefix) => store.keys(prefix),
    },
    async vanish() {
      store.exists = false;
      return async () => {
        store.exists = true;
      };
    },
    stop: async () => store.objects.clear(),
  };
}
