/** Faulty backend: reports success at once and writes only when it is closed. */

import { changedFile } from './changed-file.ts';

const waiting: (() => Promise<unknown>)[] = [];

export const backend = changedFile(
  (client) => ({
    async writeFile(file, body, options) {
      for await (const _ of body.open()) options?.signal?.throwIfAborted();
      waiting.push(() => client.writeFile(file, body));
      return { ...file, sizeBytes: body.sizeBytes, modifiedAt: new Date() };
    },
  }),
  async (destination) => {
    for (const write of waiting.splice(0)) await write();
    await destination.close();
  },
);
