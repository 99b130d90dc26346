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

const GCS: OwnBackend = {
  packageName: '@sluice/gcs',
  target: (config, path) => targetOf('gs', config as BucketConfig, path),
};

export const OWN_BACKENDS: Readonly<Record<string, OwnBackend>> = {
  file: { packageName: '@sluice/file', target: (_, path) => `file://${path}` },
  gs: GCS,
  gcs: GCS, // as Litestream 0.3 calls it
  s3: {
    packageName: '@sluice/s3',
    target: (config, path) => targetOf('s3', config as BucketConfig, path),
  },
};

function targetOf(scheme: string, { bucket, endpoint }: BucketConfig, path: string): string {
  return `${scheme}://${bucket}/${path}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
}
