/** Replicas in buckets of Google Cloud Storage. */

import { defineBackend, type Backend } from '@sluice/core/backend';
import { connect } from './client.ts';
import { configFromURL, parseConfig, type GCSConfig } from './config.ts';

export type { GCSConfig } from './config.ts';

/** Litestream 0.5 calls it "gs", 0.3 "gcs"; `parse` and `fromURL` take both. */
export const backend: Backend<GCSConfig> = defineBackend({
  contract: 1,
  scheme: 'gs',
  parse: parseConfig,
  fromURL: configFromURL,
  connect,
});
