/** The configuration as options of `gcs()`: the keys of config.ts in camelCase, with the same meanings and defaults. */

/** Options of `gcs`. See the table of keys in the README. */
export interface GCSOptions {
  readonly bucket: string;
  /** Prefix of all names: one for each database. */
  readonly path: string;
  /** A service account key, in JSON. Default: application default credentials. */
  readonly credentials?: string | undefined;
  readonly credentialsFile?: string | undefined;
  readonly endpoint?: string | undefined;
  /** Bytes, or text such as 16MiB. */
  readonly partSize?: number | string | undefined;
}
