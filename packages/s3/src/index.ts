/** Replicas in S3 buckets, and in everything that speaks S3. */

import {
  defineBackend,
  destinationData,
  type Backend,
  type DestinationData,
  type DestinationSettings,
} from '@sluice/core/backend';
import { connect } from './client.ts';
import { describe, schema, type S3Config } from './config.ts';
import type { S3Options } from './options.ts';
import { configFromURL } from './url.ts';

export type { S3Config } from './config.ts';
export type { S3Credentials, S3Options } from './options.ts';

export const backend: Backend<S3Config> = defineBackend({
  contract: 1,
  scheme: 's3',
  schema,
  permissions: {
    list: 's3:ListBucket on the bucket',
    read: 's3:GetObject on its objects',
    write: 's3:PutObject on its objects',
    replace: 's3:PutObject on its objects, and no policy or lock that denies it',
    delete: 's3:DeleteObject on its objects',
    abort: 's3:AbortMultipartUpload on its objects',
  },
  fromURL: configFromURL,
  describe,
  connect,
});

/** A bucket as a destination of `openSluice`. */
export function s3(
  { credentials, ...options }: S3Options,
  settings?: DestinationSettings,
): DestinationData {
  return destinationData(import.meta.url, options, settings, credentials);
}
