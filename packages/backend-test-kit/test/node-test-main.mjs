// The kit under node:test, as a stranger would run it.

import { after, before, describe, test } from 'node:test';
import { memoryDestination, MemoryStore } from '@sluice/core/backend';
import { describeBackend } from '../dist/index.js';

const store = new MemoryStore();
let paths = 0;

describeBackend(
  {
    name: 'memory',
    layout: 'tree',
    capabilities: { ranges: true, ifAbsent: 'any-size' },
    objects: 'claimed',
    hooks: [],
    partSizeBytes: 100_000,
    secrets: [],
    open: async () => ({
      connect: async () => memoryDestination({ store }),
      newPath: () => `replica-${(paths += 1)}`,
      stop: async () => store.objects.clear(),
    }),
  },
  { after, before, describe, test },
);
