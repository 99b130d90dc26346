/** The destinations of a database, as a repair opens and judges them. */

import { lastSentTo, type RepairTarget } from '@sluice/core';
import type { DatabaseConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import { metaPathOf } from '../drilling/drill-one.ts';

export async function toRepairTargets(
  database: DatabaseConfig,
  connections: Destinations,
): Promise<RepairTarget[]> {
  const metaPath = metaPathOf(database);
  return await Promise.all(
    database.destinations.map(async (destination) => ({
      name: destination.name,
      policy: destination.retention,
      sent: await lastSentTo(metaPath, destination.target),
      open: async (signal: AbortSignal | undefined) => connections.open(destination, signal),
    })),
  );
}
