/** Replicas in S3 buckets, and in everything that speaks S3. */

import { defineBackend, type Backend } from '@sluice/core/backend';
import { connect } from './client.ts';
import { describe, schema, type S3Config } from './config.ts';
import { configFromURL } from './url.ts';

export type { S3Config } from './config.ts';

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
