/** A power cut at a chosen moment of writing: this process is killed once so many files were written. */

import type { ReplicaClient } from '@sluice/core';

export function cutAfter(destination: ReplicaClient, files: number): ReplicaClient {
  let left = files;
  const cutIfDue = (): void => {
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
  return {
    name: destination.name,
    capabilities: destination.capabilities,
    close: () => destination.close(),
    replica: (path) => {
      const client = destination.replica(path);
      return {
        listFiles: (level, options) => client.listFiles(level, options),
        openFile: (file, options) => client.openFile(file, options),
        deleteFiles: (files, options) => client.deleteFiles(files, options),
        async writeFile(file, body, options) {
          cutIfDue();
          const info = await client.writeFile(file, body, options);
          left -= 1;
          cutIfDue();
          return info;
        },
      };
    },
  };
}
