/** Replicas on SFTP servers. */

import {
  defineBackend,
  destinationData,
  type Backend,
  type DestinationData,
  type DestinationSettings,
} from '@sluice/core/backend';

import { connect } from './client.ts';
import { configFromURL, describe, schema, type SFTPConfig } from './config.ts';
import type { SFTPOptions } from './options.ts';

export type { SFTPConfig } from './config.ts';
export type { SFTPOptions } from './options.ts';

export const backend: Backend<SFTPConfig> = defineBackend({
  contract: 1,
  scheme: 'sftp',
  schema,
  permissions: {
    list: 'r and x for this user on the folder and its subfolders',
    read: 'x for this user on the folders; the files must belong to this user (they have mode 0600)',
    write: 'r, w and x for this user on the folder, or on its parent to create it',
    replace: 'w and x for this user on the folders of the files',
    delete: 'w and x for this user on the folders of the files',
  },
  fromURL: configFromURL,
  describe,
  connect,
});

/** A folder of an SFTP server as a destination of `openSluice`. */
export function sftp(options: SFTPOptions, settings?: DestinationSettings): DestinationData {
  return destinationData(import.meta.url, options, settings);
}
