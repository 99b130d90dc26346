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

interface ContainerConfig {
  readonly container: string;
  readonly endpoint: string;
}

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
  },
  file: { packageName: '@sluice/file', target: (_, path) => `file://${path}` },
  s3: {
    packageName: '@sluice/s3',
    target: (config, path) => {
      const { bucket, endpoint } = config as BucketConfig;
      return `s3://${bucket}/${path}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
    },
  },
};
