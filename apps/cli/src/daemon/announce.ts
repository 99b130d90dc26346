/** What a person should know at the start: what goes where, what can be lost, what is not done. */

import { DATABASE_DEFAULTS } from '@sluice/core';
import { formatDuration, type Logger } from '@sluice/core/backend';
import type { Config } from '../config/model.ts';

export function announce(config: Config, version: string, logger: Logger): void {
  const { source } = config;
  logger.info(`sluice ${version} starts as process ${process.pid}`, { config: source });
  for (const { options, destinations } of config.databases) {
    const syncIntervalMs = options.syncIntervalMs ?? DATABASE_DEFAULTS.syncIntervalMs;
    const to = destinations.map(({ name, target }) => `${name} (${target})`).join(', ');
    logger.info(`replicating ${options.path} to ${to}`, {
      db: options.path,
      syncInterval: formatDuration(syncIntervalMs),
    });
  }
  logger.info(
    'should this disk be lost, so is what a destination does not have yet: a commit is sent at ' +
      'once, of many in a row some up to a sync interval later, plus the time of the upload',
  );
  logger.info('nothing is deleted at the destinations by this version: history grows');
  for (const note of config.notes) logger.warn(note);
}
