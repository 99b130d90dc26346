import { defineBackend, type Backend } from '@sluice/core/backend';

import { connect } from './client.ts';
import { configFromURL, parseConfig, type FileConfig } from './config.ts';

export type { FileConfig } from './config.ts';

/** Replicas in local folders, or in what is mounted there. */
export const backend: Backend<FileConfig> = defineBackend({
  contract: 1,
  scheme: 'file',
  parse: parseConfig,
  fromURL: configFromURL,
  connect,
});
