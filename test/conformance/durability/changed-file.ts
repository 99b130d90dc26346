/** The backend `file`, with writes and an end of another's making. */

import type { ReplicaClient } from '@sluice/core';
import type { Backend, Replica } from '@sluice/core/backend';
import { backend as file, type FileConfig } from '@sluice/file';

export function changedFile(
  change: (client: Replica, path: string) => Partial<Replica>,
  close: (destination: ReplicaClient) => Promise<void> = (destination) => destination.close(),
): Backend<FileConfig> {
  return {
    ...file,
    async connect(config, context) {
      const destination = await file.connect(config, context);
      return {
        name: destination.name,
        capabilities: destination.capabilities,
        replica(path) {
          const client = new Replica(destination, path);
          return {
            listFiles: (...given) => client.listFiles(...given),
            openFile: (...given) => client.openFile(...given),
            writeFile: (...given) => client.writeFile(...given),
            deleteFiles: (...given) => client.deleteFiles(...given),
            ...change(client, path),
          };
        },
        close: () => close(destination),
      };
    },
  };
}
