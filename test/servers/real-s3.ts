/** The common interface of all real S3 servers in the tests. */

import type { Credentials } from './s3/index.ts';

export interface RealS3 {
  /** "http://127.0.0.1:port" */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly credentials: Credentials;
  stop(): Promise<void>;
}

export const REAL_BUCKET = 'sluice-test';
export const REAL_REGION = 'us-east-1';
export const REAL_CREDENTIALS: Credentials = {
  accessKeyId: 'sluicetest',
  secretAccessKey: 'sluicetestsecret',
};
