/** Replicas in containers of Azure Blob Storage. */

import {
  defineBackend,
  destinationData,
  type Backend,
  type DestinationData,
  type DestinationSettings,
} from '@sluice/core/backend';
import { connect } from './client.ts';
import { configFromURL, describe, schema, type AzureConfig } from './config.ts';
import type { AzureOptions } from './options.ts';

export type { AzureConfig } from './config.ts';
export type { AzureOptions } from './options.ts';

const READER = 'Storage Blob Data Reader';
const CONTRIBUTOR = 'Storage Blob Data Contributor';

/** Its scheme is Litestream's: abs. */
export const backend: Backend<AzureConfig> = defineBackend({
  contract: 1,
  scheme: 'abs',
  schema,
  permissions: {
    list: `"l" (list) in the token, or the role ${READER}`,
    read: `"r" (read) in the token, or the role ${READER}`,
    write: `"c" and "w" (create, write) in the token, or the role ${CONTRIBUTOR}`,
    replace: `"w" (write) in the token, or the role ${CONTRIBUTOR}`,
    delete: `"d" (delete) in the token, or the role ${CONTRIBUTOR}`,
  },
  fromURL: configFromURL,
  describe,
  connect,
});

/** A container as a destination of `openSluice`. */
export function azure(
  { credentials, ...options }: AzureOptions,
  settings?: DestinationSettings,
): DestinationData {
  return destinationData(import.meta.url, options, settings, credentials);
}
