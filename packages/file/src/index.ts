/** Replicas in local folders, including mounted disks. */

import { resolve } from 'node:path';
import {
  defineBackend,
  destinationData,
  expandHome,
  type Backend,
  type DestinationData,
  type DestinationSettings,
} from '@sluice/core/backend';

import { connect } from './client.ts';
import { configFromURL, describe, schema, type FileConfig } from './config.ts';

export type { FileConfig } from './config.ts';

const SEE = 'see "ls -ld", and which user runs this';

/** Replicas in local folders, including mounted disks. */
export const backend: Backend<FileConfig> = defineBackend({
  contract: 1,
  scheme: 'file',
  schema,
  permissions: {
    list: `r and x on the folder and its subfolders; ${SEE}`,
    read: `x on the folders, and r on the files, which only their owner may read (0600); ${SEE}`,
    write: `r, w and x on the folder, or on its parent to create it; ${SEE}`,
    replace: `w and x on the folders of the files; ${SEE}`,
    delete: `w and x on the folders of the files; ${SEE}`,
  },
  fromURL: configFromURL,
  describe,
  connect,
});

/** A folder as a destination of `openSluice`. `path` is relative to the working directory; ~ is the home folder. */
export function file(path: string, settings?: DestinationSettings): DestinationData {
  return destinationData(import.meta.url, { path: resolve(expandHome(path)) }, settings);
}
