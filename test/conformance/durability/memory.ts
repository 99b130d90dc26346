/** Keeps all in a map of its own process. */

import { defineBackend, memoryClient, MemoryStore, type Backend } from '@sluice/core/backend';

const store = new MemoryStore();

export const backend: Backend<object> = defineBackend({
  contract: 1,
  scheme: 'memory',
  parse: () => ({ config: {}, path: '' }),
  fromURL: (url) => ({ url: url.href }),
  connect: async () => memoryClient({ store }),
});
