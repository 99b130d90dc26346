/** Replicas in buckets of Google Cloud Storage. */

import {
  defineBackend,
  destinationData,
  type Backend,
  type DestinationData,
  type DestinationSettings,
} from '@sluice/core/backend';
import { connect } from './client.ts';
import { configFromURL, describe, schema, type GCSConfig } from './config.ts';
import type { GCSOptions } from './options.ts';

export type { GCSConfig } from './config.ts';
export type { GCSOptions } from './options.ts';

const VIEWER = 'roles/storage.objectViewer';
const USER = 'roles/storage.objectUser';

/** Litestream 0.5 calls it "gs", 0.3 "gcs"; `fromURL` accepts both. */
export const backend: Backend<GCSConfig> = defineBackend({
  contract: 1,
  scheme: 'gs',
  schema,
  permissions: {
    list: `storage.objects.list on the bucket, as in ${VIEWER}`,
    read: `storage.objects.get on its objects, as in ${VIEWER}`,
    write: 'storage.objects.create on its objects, as in roles/storage.objectCreator',
    replace: `storage.objects.delete on its objects too, as in ${USER}`,
    delete: `storage.objects.delete on its objects, as in ${USER}`,
  },
  fromURL: configFromURL,
  describe,
  connect,
});

/** A bucket as a destination of `openSluice`. */
export function gcs(options: GCSOptions, settings?: DestinationSettings): DestinationData {
  return destinationData(import.meta.url, options, settings);
}
