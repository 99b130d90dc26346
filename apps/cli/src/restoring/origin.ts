/**
 * Records from whose backup a database was restored, so that `replicate` continues this backup on a new
 * machine. Only for a backup that has an owner. If it cannot be recorded, the restore has succeeded all the
 * same, and `replicate -take-over` continues the backup.
 */

import { recordOrigin as record } from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import type { Restored } from './from-best.ts';

/** `output`: path of the database. */
export async function recordOrigin(
  output: string,
  { candidate, from }: Restored,
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  if (candidate.layout !== 'ltx') return; // a backup of Litestream 0.3 has no owner
  try {
    await record(output, candidate, signal);
  } catch (error) {
    signal.throwIfAborted();
    logger.warn(
      `cannot record beside ${output} that it was restored from ${from.name}: ${messageOf(error)}; ` +
        'to continue this backup, start "sluice replicate" once with -take-over',
      { target: from.target },
    );
  }
}
