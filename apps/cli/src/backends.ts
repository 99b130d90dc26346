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

interface ContainerConfig {
  readonly container: string;
  readonly endpoint: string;
  readonly blockSizeBytes: number;
}

interface ServerConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

const GCS: OwnBackend = {
  packageName: '@sluice/gcs',
  target: (config, path) => targetOf('gs', config as BucketConfig, path),
  partBytes: (config) => (config as BucketConfig).partSizeBytes,
  rights: {
    list: 'storage.objects.list on the bucket',
    read: 'storage.objects.get on its objects',
    write: 'storage.objects.create on its objects',
    delete: 'storage.objects.delete on its objects',
  },
};

export const OWN_BACKENDS: Readonly<Record<string, OwnBackend>> = {
  abs: {
    packageName: '@sluice/azure',
    target: (config, path) => {
      const { container, endpoint } = config as ContainerConfig;
      const account = /^https:\/\/([a-z0-9-]+)\.blob\.core\.windows\.net$/.exec(endpoint)?.[1];
      return account === undefined
        ? `abs://${container}/${path} at ${endpoint}`
        : `abs://${account}@${container}/${path}`;
    },
    partBytes: (config) => (config as ContainerConfig).blockSizeBytes,
  },
  file: { packageName: '@sluice/file', target: (_, path) => `file://${path}` },
  gs: GCS,
  gcs: GCS, // as Litestream 0.3 calls it
  s3: {
    packageName: '@sluice/s3',
    target: (config, path) => targetOf('s3', config as BucketConfig, path),
    partBytes: (config) => (config as BucketConfig).partSizeBytes,
    rights: {
      list: 's3:ListBucket on the bucket',
      read: 's3:GetObject on its objects',
      write: 's3:PutObject on its objects',
      delete: 's3:DeleteObject on its objects',
    },
  },
  sftp: {
    packageName: '@sluice/sftp',
    target: (config, path) => {
      const { host, port, user } = config as ServerConfig;
      const address = host.includes(':') ? `[${host}]` : host;
      // A path without a slash begins where the server puts us.
      const place = path.startsWith('/') ? path : `/~/${path}`;
      return `sftp://${user}@${address}${port === 22 ? '' : `:${port}`}${place}`;
    },
  },
};

function targetOf(scheme: string, { bucket, endpoint }: BucketConfig, path: string): string {
  return `${scheme}://${bucket}/${path}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
}
