/** Replicas on servers that speak SFTP. */

import { defineBackend, type Backend } from '@sluice/core/backend';

import { connect } from './client.ts';
import { configFromURL, describe, schema, type SFTPConfig } from './config.ts';

export type { SFTPConfig } from './config.ts';

export const backend: Backend<SFTPConfig> = defineBackend({
  contract: 1,
  scheme: 'sftp',
  schema,
  permissions: {
    list: 'r and x for this user on the folder and those below it',
    read: 'x for this user on the folders, and that the files belong to this user (they are made with mode 0600)',
    write: 'r, w and x for this user on the folder, or on the one above to make it',
    replace: 'w and x for this user on the folders that hold the files',
    delete: 'w and x for this user on the folders that hold the files',
  },
  fromURL: configFromURL,
  describe,
  connect,
});
