// A planted error: a backend like S3 that confirms some files of level 0 without writing them.
import { backend as s3 } from '@sluice/s3';

const FORGOTTEN_SHARE = 0.5;

export const backend = {
  ...s3,
  scheme: 'forgetful',
  async connect(config, context) {
    const client = await s3.connect(config, context);
    return {
      name: client.name,
      layout: client.layout,
      capabilities: client.capabilities,
      list: (prefix, options) => client.list(prefix, options),
      get: (key, options) => client.get(key, options),
      delete: (keys, options) => client.delete(keys, options),
      close: () => client.close(),
      async put(key, body, options) {
        const isForgotten = /ltx\/0\/|0000\//.test(key) && Math.random() < FORGOTTEN_SHARE;
        if (!isForgotten) return await client.put(key, body, options);
        for await (const _ of body.open()); // like an upload
        return { key, sizeBytes: body.sizeBytes, modifiedAt: new Date() };
      },
    };
  },
};
