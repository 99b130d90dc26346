/** The kinds of destination that are ours: the only place that knows which there are. */

export interface OwnBackend {
  readonly packageName: string;
  /** For people, and for the record of what was sent where: no secret. */
  readonly target: (config: unknown, path: string) => string;
}

interface BucketConfig {
  readonly bucket: string;
  readonly endpoint: string | undefined;
}

interface ServerConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

export const OWN_BACKENDS: Readonly<Record<string, OwnBackend>> = {
  file: { packageName: '@sluice/file', target: (_, path) => `file://${path}` },
  s3: {
    packageName: '@sluice/s3',
    target: (config, path) => {
      const { bucket, endpoint } = config as BucketConfig;
      return `s3://${bucket}/${path}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
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
