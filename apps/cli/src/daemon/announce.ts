/** Logs the essentials at the start: the destinations, the possible loss, the ignored settings. */

import { DATABASE_DEFAULTS } from '@sluice/core';
import { formatDuration } from '@sluice/core/config';
import type { Logger } from '@sluice/core/backend';
import { describeEmpty } from '../config/directory.ts';
import type { Config } from '../config/model.ts';
import { namesOf } from '../each-destination.ts';

export function announce(config: Config, version: string, logger: Logger): void {
  const { source } = config;
  logger.info(`sluice ${version} starts as process ${process.pid}`, { config: source });
  announceDatabases(
    config.databases.filter(({ directory }) => directory === undefined),
    logger,
  );
  for (const { dir, pattern, recursive, template } of config.directories) {
    const count = config.databases.filter(({ directory }) => directory === dir).length;
    const where = recursive ? `${dir} and below` : dir;
    if (count === 0) continue; // described below
    logger.info(
      `replicating the ${count} databases ${pattern} in ${where} to ${namesOf(template.destinations)}`,
    );
  }
  logger.info(
    'if this disk is lost, commits that no destination has yet are lost: a commit is sent at once, or ' +
      'up to a sync interval later if many come in a row, plus the time of the upload',
  );
  for (const line of describeRetention(config)) logger.info(line);
  for (const note of config.notes) logger.warn(note);
  for (const line of describeEmpty(config)) {
    logger.warn(`${line}: nothing of this directory is replicated until there is one`);
  }
}

/** Where each database goes. */
export function announceDatabases(databases: Config['databases'], logger: Logger): void {
  for (const { options, destinations: all } of databases) {
    const destinations = all.filter(({ enabled }) => enabled !== false);
    const syncIntervalMs = options.syncIntervalMs ?? DATABASE_DEFAULTS.syncIntervalMs;
    const to = namesOf(destinations);
    logger.info(`replicating ${options.path} to ${to}`, {
      db: options.path,
      syncInterval: formatDuration(syncIntervalMs),
    });
    for (const { name, enabled } of all) {
      if (enabled !== false) continue;
      logger.info(`nothing is sent to ${name}: it has enabled: false`, { db: options.path });
    }
    for (const { name, encryption } of destinations) {
      if (encryption === undefined) continue;
      const count = encryption.recipients.length;
      const recipients = count === 1 ? '1 recipient' : `${count} recipients`;
      logger.info(
        `${name}: files are encrypted for ${recipients}; their names, sizes and times stay visible`,
        { db: options.path },
      );
    }
  }
}

/** One line for each retention, with the names of its destinations. */
function describeRetention({ items }: Config): string[] {
  const names = new Map<number | undefined, Set<string>>();
  for (const { name, retention } of items.flatMap(({ destinations }) => destinations)) {
    const key = retention?.retentionMs;
    names.set(key, (names.get(key) ?? new Set()).add(name));
  }
  return [...names].map(([retentionMs, at]) => {
    const where = [...at].join(', ');
    if (retentionMs === undefined) return `nothing is ever deleted at ${where}`;
    return (
      `states of the last ${formatDuration(retentionMs)} are kept at ${where} ` +
      '(after an hour, one for each interval of level 1); older files are deleted'
    );
  });
}
