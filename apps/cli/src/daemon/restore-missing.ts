/** -restore-if-db-not-exists: a database that is missing comes back first, if it has a backup. */

import fs from 'node:fs';
import { isError } from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import type { Config, DatabaseConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import { findCandidates, restoreFromBest } from '../restoring.ts';

export interface RestoreContext {
  /** To be written to: a folder that is not there yet has no backup, and is no error. */
  readonly open: Destinations;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Only where every destination says that it has no backup does a database start fresh: one that
 * cannot be asked may hold it, and a fresh start would go on without its rows.
 */
export async function restoreMissing(
  config: Config,
  which: 'all' | 'as-configured',
  context: RestoreContext,
): Promise<void> {
  const missing = config.databases.filter(
    ({ options, restoreIfMissing }) =>
      (which === 'all' || restoreIfMissing === 'yes') && !fs.existsSync(options.path),
  );
  for (const database of missing) await restoreOne(database, context);
}

async function restoreOne(
  { options, destinations }: DatabaseConfig,
  { open, logger, signal }: RestoreContext,
): Promise<void> {
  const { path } = options;
  const target = { kind: 'latest' } as const;
  try {
    const candidates = await findCandidates({ destinations, target, open, logger, signal });
    const wish = { output: path, target, signal };
    const { from, report } = await restoreFromBest(candidates, wish, { open, logger });
    logger.info(`${path} was missing: restored from ${from.name}`, { txid: report.txid });
  } catch (error) {
    if (!isError(error, 'RESTORE_NO_SNAPSHOT')) throw error;
    logger.info(`${path} is missing and has no backup: it starts fresh`);
  }
}
