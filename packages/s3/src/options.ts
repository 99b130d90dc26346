/** The configuration as options of `s3()`: the keys of config.ts in camelCase, with the same meanings and defaults. */

/** Options of `s3`. See the table of keys in the README. */
export interface S3Options {
  readonly bucket: string;
  /** Prefix of all keys: one for each database. */
  readonly path: string;
  readonly region?: string | undefined;
  /** A provider other than AWS. */
  readonly endpoint?: string | undefined;
  /** Default: the credential chain of the AWS SDK. */
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  readonly sessionToken?: string | undefined;
  /**
   * Called in the application when credentials are needed: about five minutes before `expiration`, or once a
   * minute without one. Instead of the keys above.
   */
  readonly credentials?: (() => S3Credentials | Promise<S3Credentials>) | undefined;
  readonly forcePathStyle?: boolean | undefined;
  readonly skipVerify?: boolean | undefined;
  readonly signPayload?: boolean | undefined;
  readonly requireContentMd5?: boolean | undefined;
  readonly storageClass?: string | undefined;
  /** Bytes, or text such as 16MiB. */
  readonly partSize?: number | string | undefined;
  readonly concurrency?: number | undefined;
  readonly sseCustomerAlgorithm?: 'AES256' | undefined;
  readonly sseCustomerKey?: string | undefined;
  readonly sseCustomerKeyPath?: string | undefined;
  readonly sseCustomerKeyMd5?: string | undefined;
  readonly sseKmsKeyId?: string | undefined;
  readonly objectLockMode?: 'GOVERNANCE' | 'COMPLIANCE' | undefined;
  /** Text such as 720h. */
  readonly objectLockRetention?: string | undefined;
}

/** What a credentials function returns, as those of the AWS SDK do. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly expiration?: Date | undefined;
}
