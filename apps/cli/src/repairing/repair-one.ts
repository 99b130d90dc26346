/** Repairs one database, for the command and for the replicator, and keeps the result for `sluice status`. */

import { outcomeOf, recordRepair, repair, type RepairOptions } from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import type { DatabaseConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import { metaPathOf } from '../drilling/drill-one.ts';
import type { Repaired } from './describe.ts';
import type { RepairFlags } from './flags.ts';
import { toRepairTargets } from './targets.ts';

export interface RepairRequest extends RepairFlags, Pick<RepairOptions, 'onProgress'> {
  /** Open for writing, unless it is a dry run. */
  readonly connections: Destinations;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Rejects with the reason of the signal. */
export async function repairOne(
  database: DatabaseConfig,
  { mode, read, connections, logger, onProgress, signal }: RepairRequest,
): Promise<Repaired> {
  const { options, destinations } = database;
  const at = new Date();
  const targets = await toRepairTargets(database, connections);
  const report = await repair({ destinations: targets, mode, read, onProgress, signal });
  const repaired = { database: options.path, destinations, mode, report };
  if (mode === 'mend') await keep(database, at, repaired, logger);
  return repaired;
}

/** The result is printed, so a failure here is only a warning. */
async function keep(
  database: DatabaseConfig,
  at: Date,
  { report, mode }: Repaired,
  logger: Logger,
): Promise<void> {
  const { destinations } = database;
  const record = {
    at: at.toISOString(),
    result: outcomeOf(report, mode),
    destinations: report.destinations.map(({ name, lacking, damaged, copies }) => ({
      name,
      target: destinations.find((each) => each.name === name)?.target ?? '',
      lacking,
      damaged: damaged.length,
      copiedFiles: copies.length,
      copiedBytes: copies.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    })),
  };
  try {
    await recordRepair(metaPathOf(database), record); // without a replicator there is no folder
  } catch (error) {
    logger.warn(
      `the result is not kept for "sluice status": ${messageOf(error)}; run this as the user of the replicator`,
    );
  }
}
