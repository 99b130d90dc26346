/** Replicas in containers of Azure Blob Storage. */

import { defineBackend, type Backend } from '@sluice/core/backend';
import { connect } from './client.ts';
import { configFromURL, parseConfig, type AzureConfig } from './config.ts';

export type { AzureConfig } from './config.ts';

/** Its scheme is Litestream's: abs. */
export const backend: Backend<AzureConfig> = defineBackend({
  contract: 1,
  scheme: 'abs',
  parse: parseConfig,
  fromURL: configFromURL,
  connect,
});
