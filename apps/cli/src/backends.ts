/** The kinds of destination that are ours: the only place that knows which there are. */

import type { CheckRight } from '@sluice/core';

export interface OwnBackend {
  readonly packageName: string;
  /** For people, and for the record of what was sent where: no secret. */
  readonly target: (config: unknown, path: string) => string;
  /** Above this a file goes up in parts. Default: core's. */
  readonly partBytes?: ((config: unknown) => number) | undefined;
  /** What the provider calls a right. */
  readonly rights?: Readonly<Record<CheckRight, string>> | undefined;
}

interface BucketConfig {
  readonly bucket: string;
  readonly endpoint: string | undefined;
  readonly partSizeBytes: number;
}

export const OWN_BACKENDS: Readonly<Record<string, OwnBackend>> = {
  file: { packageName: '@sluice/file', target: (_, path) => `file://${path}` },
  s3: {
    packageName: '@sluice/s3',
    target: (config, path) => {
      const { bucket, endpoint } = config as BucketConfig;
      return `s3://${bucket}/${path}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
    },
    partBytes: (config) => (config as BucketConfig).partSizeBytes,
    rights: {
      list: 's3:ListBucket on the bucket',
      read: 's3:GetObject on its objects',
      write: 's3:PutObject on its objects',
      delete: 's3:DeleteObject on its objects',
    },
  },
};
