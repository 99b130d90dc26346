import { memoryClient } from '@sluice/core/backend/testing';

import { memorySetup } from './memory-setup.ts';
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
  return memorySetup((store) => memoryClient({ ...options, store }));
}
