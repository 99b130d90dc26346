// Runs the published kit under node:test.

import { after, before, describe, test } from 'node:test';
import { memoryClient, MemoryStore } from '@sluice/core/backend/testing';
import { describeBackend } from '../dist/index.js';

const store = new MemoryStore();
let paths = 0;

describeBackend(
  {
    name: 'memory',
    layout: 'tree',
    capabilities: memoryClient().capabilities,
    hooks: [],
    partSizeBytes: 100_000,
    secrets: [],
    open: async () => ({
      connect: async () => memoryClient({ store }),
      newPath: () => `replica-${(paths += 1)}`,
      stop: async () => store.objects.clear(),
    }),
  },
  { after, before, describe, test },
);
