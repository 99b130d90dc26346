/** What the parts of one destination share. */

import type { S3Client } from '@aws-sdk/client-s3';
import type { Budget, Logger, Work } from '@sluice/core/backend';
import type { S3Config } from './config.ts';
import type { Preset } from './presets.ts';

export interface Bucket {
  /** "s3://bucket" */
  readonly name: string;
  readonly client: S3Client;
  /** Loaded when the first destination connects: it takes longer than all else at a start. */
  readonly sdk: typeof import('@aws-sdk/client-s3');
  readonly config: S3Config;
  readonly preset: Preset;
  readonly logger: Logger;
  readonly work: Work;
  readonly budget: Budget;
}
