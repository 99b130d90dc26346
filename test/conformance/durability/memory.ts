/** Faulty backend: keeps everything in the memory of its process. */

import { z } from 'zod';
import { defineBackend, type Backend } from '@sluice/core/backend';
import { MemoryStore, memoryClient } from '@sluice/core/backend/testing';

const store = new MemoryStore();

export const backend: Backend<object> = defineBackend({
  contract: 1,
  scheme: 'memory',
  schema: z.looseObject({}).transform(() => ({ path: '' })),
  describe: () => ({ target: 'memory://' }),
  fromURL: (url) => ({ url: url.href }),
  connect: async () => memoryClient({ store }),
});
