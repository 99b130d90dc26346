// Folders that cannot be reached before the file `<path>.up` exists.

import fs from 'node:fs';
import { ReplicationError } from '@sluice/core/backend';
import { backend as file } from '@sluice/file';

export const backend = {
  ...file,
  describe: (config, path) => ({ ...file.describe(config, path), place: path }),
  schema: file.schema,
  connect: async (config, context) => {
    const client = await file.connect(config, context);
    const list = (prefix, options) => {
      const root = options?.root ?? '';
      if (!fs.existsSync(`${root}.up`)) {
        throw new ReplicationError('REPLICA_UNAVAILABLE', `list ${root}: it is not up yet`);
      }
      return client.list(prefix, options);
    };
    return {
      name: client.name,
      layout: client.layout,
      capabilities: client.capabilities,
      list,
      get: (key, options) => client.get(key, options),
      put: (key, body, options) => client.put(key, body, options),
      delete: (keys, options) => client.delete(keys, options),
      close: () => client.close(),
    };
  },
};
