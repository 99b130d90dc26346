/** Replicas in S3 buckets, and in everything that speaks S3. */

import { defineBackend, type Backend } from '@sluice/core/backend';
import { connect } from './client.ts';
import { configFromURL, parseConfig, type S3Config } from './config.ts';

export type { S3Config } from './config.ts';

export const backend: Backend<S3Config> = defineBackend({
  contract: 1,
  scheme: 's3',
  parse: parseConfig,
  fromURL: configFromURL,
  connect,
});
