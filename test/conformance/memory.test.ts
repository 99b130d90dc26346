import { memoryClient, MemoryStore } from '@sluice/core/backend/testing';
import type { ReplicaClient } from '@sluice/core/backend';

import { describeConformance, type Conformance, type Setup } from './suite.ts';

const memory: Conformance = {
  name: 'memory',
  layout: 'tree',
  capabilities: memoryClient().capabilities,
  hooks: ['raw', 'vanish'],
  partSizeBytes: 100_000,
  secrets: [],
  open: async () => openMemory({ layout: 'tree' }),
};

describeConformance(memory);
describeConformance({
  ...memory,
  name: 'memory, keys as on S3, one byte at a time',
  layout: 'levels',
  partSizeBytes: 3_000,
  open: async () => openMemory({ layout: 'levels', chunkBytes: 997 }),
});
describeConformance({
  ...memory,
  name: 'memory that claims nothing',
  capabilities: {},
  open: async () => openMemory({ layout: 'tree', capabilities: {} }),
});

function openMemory(options: Parameters<typeof memoryClient>[0]): Setup {
  const store = new MemoryStore();
  let paths = 0;
  return {
    connect: async (): Promise<ReplicaClient> => memoryClient({ ...options, store }),
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
