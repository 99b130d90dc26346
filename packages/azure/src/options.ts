/** The configuration as options of `azure()`: the keys of config.ts in camelCase, with the same meanings and defaults. */

/** Options of `azure`. See the table of keys in the README. */
export interface AzureOptions {
  /** The container. */
  readonly bucket: string;
  /** Prefix of all names: one for each database. */
  readonly path: string;
  readonly accountName?: string | undefined;
  readonly endpoint?: string | undefined;
  /** Default: DefaultAzureCredential. */
  readonly accountKey?: string | undefined;
  readonly sasToken?: string | undefined;
  readonly sasTokenPath?: string | undefined;
  /**
   * Returns a SAS token. Called in the application, at most once a minute, instead of the credentials above and
   * below.
   */
  readonly credentials?: (() => string | Promise<string>) | undefined;
  readonly connectionString?: string | undefined;
  readonly accessTier?: string | undefined;
  /** Bytes, or text such as 16MiB. */
  readonly partSize?: number | string | undefined;
  readonly concurrency?: number | undefined;
}
