/** The kinds of destination that are ours: the only place that knows which there are. */

import type { CheckRight } from '@sluice/core';

export interface OwnBackend {
  readonly packageName: string;
  /** For people, and for the record of what was sent where: no secret. */
  readonly target: (config: unknown, path: string) => string;
  /** Above this a file goes up in parts. Default: core's. */
  readonly partBytes?: ((config: unknown) => number) | undefined;
  /** What keys look like there. */
  readonly layout: 'levels' | 'tree';
  /** Who keeps the files, for a sentence. Default: "this destination". */
  readonly provider?: ((config: unknown) => string | undefined) | undefined;
  /** What gives a right there, in the provider's words. Absent: nothing has to. */
  readonly rights: Readonly<Partial<Record<CheckRight, string>>>;
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

const AZURE_READER = 'Storage Blob Data Reader';
const AZURE_USER = 'Storage Blob Data Contributor';
const LOOK_WITH = 'see "ls -ld", and as whom this runs';

const GCS_READER = 'roles/storage.objectViewer';
const GCS_USER = 'roles/storage.objectUser';

const GCS: OwnBackend = {
  packageName: '@sluice/gcs',
  layout: 'tree',
  target: (config, path) => targetOf('gs', config as BucketConfig, path),
  partBytes: (config) => (config as BucketConfig).partSizeBytes,
  rights: {
    list: `storage.objects.list on the bucket, as in ${GCS_READER}`,
    read: `storage.objects.get on its objects, as in ${GCS_READER}`,
    write: `storage.objects.create on its objects, as in roles/storage.objectCreator`,
    replace: `storage.objects.delete on its objects too, as in ${GCS_USER}`,
    delete: `storage.objects.delete on its objects, as in ${GCS_USER}`,
  },
};

export const OWN_BACKENDS: Readonly<Record<string, OwnBackend>> = {
  abs: {
    packageName: '@sluice/azure',
    layout: 'tree',
    target: (config, path) => {
      const { container, endpoint } = config as ContainerConfig;
      const account = /^https:\/\/([a-z0-9-]+)\.blob\.core\.windows\.net$/.exec(endpoint)?.[1];
      return account === undefined
        ? `abs://${container}/${path} at ${endpoint}`
        : `abs://${account}@${container}/${path}`;
    },
    partBytes: (config) => (config as ContainerConfig).blockSizeBytes,
    rights: {
      list: `"l" (list) in the token, or the role ${AZURE_READER}`,
      read: `"r" (read) in the token, or the role ${AZURE_READER}`,
      write: `"c" and "w" (create, write) in the token, or the role ${AZURE_USER}`,
      replace: `"w" (write) in the token, or the role ${AZURE_USER}`,
      delete: `"d" (delete) in the token, or the role ${AZURE_USER}`,
    },
  },
  file: {
    packageName: '@sluice/file',
    layout: 'tree',
    target: (_, path) => `file://${path}`,
    rights: {
      list: `r and x on the folder and those below it; ${LOOK_WITH}`,
      read: `x on the folders, and r on the files, which are their owner’s alone (0600); ${LOOK_WITH}`,
      write: `r, w and x on the folder, or on the one above to make it; ${LOOK_WITH}`,
      replace: `w and x on the folders that hold the files; ${LOOK_WITH}`,
      delete: `w and x on the folders that hold the files; ${LOOK_WITH}`,
    },
  },
  gs: GCS,
  gcs: GCS, // as Litestream 0.3 calls it
  s3: {
    packageName: '@sluice/s3',
    layout: 'levels',
    provider: (config) => hostOf((config as BucketConfig).endpoint),
    target: (config, path) => targetOf('s3', config as BucketConfig, path),
    partBytes: (config) => (config as BucketConfig).partSizeBytes,
    rights: {
      list: 's3:ListBucket on the bucket',
      read: 's3:GetObject on its objects',
      write: 's3:PutObject on its objects',
      replace: 's3:PutObject on its objects, and no policy or lock that denies it',
      delete: 's3:DeleteObject on its objects',
      abort: 's3:AbortMultipartUpload on its objects',
    },
  },
  sftp: {
    packageName: '@sluice/sftp',
    layout: 'tree',
    target: (config, path) => {
      const { host, port, user } = config as ServerConfig;
      const address = host.includes(':') ? `[${host}]` : host;
      // A path without a slash begins where the server puts us.
      const place = path.startsWith('/') ? path : `/~/${path}`;
      return `sftp://${user}@${address}${port === 22 ? '' : `:${port}`}${place}`;
    },
    rights: {
      list: 'r and x for this user on the folder and those below it',
      read: 'x for this user on the folders, and that the files are his own (they are made with mode 0600)',
      write: 'r, w and x for this user on the folder, or on the one above to make it',
      replace: 'w and x for this user on the folders that hold the files',
      delete: 'w and x for this user on the folders that hold the files',
    },
  },
};

function targetOf(scheme: string, { bucket, endpoint }: BucketConfig, path: string): string {
  return `${scheme}://${bucket}/${path}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
}

function hostOf(endpoint: string | undefined): string | undefined {
  return endpoint === undefined ? undefined : new URL(endpoint).host;
}
