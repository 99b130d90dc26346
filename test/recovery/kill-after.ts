/** Kills this process after a given number of files was written, like a power loss. */

import type { ReplicaClient } from '@sluice/core/backend';
import { changeFiles } from '../../packages/core/test/support/files-view.ts';

export function killAfterFiles(destination: ReplicaClient, files: number): ReplicaClient {
  let left = files;
  const killIfDue = (): void => {
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
  return changeFiles(destination, (client) => ({
    async writeFile(file, body, options) {
      killIfDue();
      const info = await client.writeFile(file, body, options);
      left -= 1;
      killIfDue();
      return info;
    },
  }));
}
