/** Logs the essentials at the start: the destinations, the possible loss, the ignored settings. */

import { DATABASE_DEFAULTS } from '@sluice/core';
import { formatDuration } from '@sluice/core/config';
import type { Logger } from '@sluice/core/backend';
import type { Config } from '../config/model.ts';
import { namesOf } from '../each-destination.ts';

export function announce(config: Config, version: string, logger: Logger): void {
  const { source } = config;
  logger.info(`sluice ${version} starts as process ${process.pid}`, { config: source });
  for (const { options, destinations } of config.databases) {
    const syncIntervalMs = options.syncIntervalMs ?? DATABASE_DEFAULTS.syncIntervalMs;
    const to = namesOf(destinations);
    logger.info(`replicating ${options.path} to ${to}`, {
      db: options.path,
      syncInterval: formatDuration(syncIntervalMs),
    });
  }
  logger.info(
    'if this disk is lost, commits that no destination has yet are lost: a commit is sent at once, or ' +
      'up to a sync interval later if many come in a row, plus the time of the upload',
  );
  logger.info('this version deletes nothing at the destinations, so their history keeps growing');
  for (const note of config.notes) logger.warn(note);
}
