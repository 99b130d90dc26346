/** A power cut at a chosen moment of writing: this process is killed once so many files were written. */

import type { ReplicaClient } from '@sluice/core/backend';
import { changeFiles } from '../../packages/core/test/support/files-view.ts';

export function cutAfter(destination: ReplicaClient, files: number): ReplicaClient {
  let left = files;
  const cutIfDue = (): void => {
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
  return changeFiles(destination, (client) => ({
    async writeFile(file, body, options) {
      cutIfDue();
      const info = await client.writeFile(file, body, options);
      left -= 1;
      cutIfDue();
      return info;
    },
  }));
}
