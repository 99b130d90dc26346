import { defineBackend, type Backend } from '@sluice/core/backend';

import { connect } from './client.ts';
import { configFromURL, describe, schema, type FileConfig } from './config.ts';

export type { FileConfig } from './config.ts';

const SEE = 'see "ls -ld", and as which user this runs';

/** Replicas in local folders, or in what is mounted there. */
export const backend: Backend<FileConfig> = defineBackend({
  contract: 1,
  scheme: 'file',
  schema,
  permissions: {
    list: `r and x on the folder and those below it; ${SEE}`,
    read: `x on the folders, and r on the files, which belong to their owner alone (0600); ${SEE}`,
    write: `r, w and x on the folder, or on the one above to make it; ${SEE}`,
    replace: `w and x on the folders that hold the files; ${SEE}`,
    delete: `w and x on the folders that hold the files; ${SEE}`,
  },
  fromURL: configFromURL,
  describe,
  connect,
});
