/** Replicas on servers that speak SFTP. */

import { defineBackend, type Backend } from '@sluice/core/backend';

import { connect } from './client.ts';
import { configFromURL, parseConfig, type SFTPConfig } from './config.ts';

export type { SFTPConfig } from './config.ts';

export const backend: Backend<SFTPConfig> = defineBackend({
  contract: 1,
  scheme: 'sftp',
  parse: parseConfig,
  fromURL: configFromURL,
  connect,
});
