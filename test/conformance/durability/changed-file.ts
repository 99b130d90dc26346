/** The backend `file` with changed methods and a changed close. */

import type { Backend, ReplicaClient } from '@sluice/core/backend';
import { backend as file, type FileConfig } from '@sluice/file';

import { changeFiles, plain, type Files } from '../../../packages/core/test/support/files-view.ts';

export function changedFile(
  change: (files: Files, path: string) => Partial<Files>,
  close: (client: ReplicaClient) => Promise<void> = (client) => client.close(),
): Backend<FileConfig> {
  return {
    ...file,
    async connect(config, context) {
      const client = await file.connect(config, context);
      return { ...plain(changeFiles(client, change)), close: () => close(client) };
    },
  };
}
