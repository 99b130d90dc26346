/** The rows of `sluice status`: the local state of each database, and one listing of each destination. */

import type { SilentDirectory } from '../config/directory.ts';
import type { DatabaseConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import { mapLimited } from '../limited.ts';
import {
  describeDatabase,
  describeDestination,
  healthOf,
  withDrillProblems,
  type DatabaseRow,
} from './describe.ts';
import { readLastDrills } from './drills.ts';
import { listHighest, type Listed } from './listing.ts';
import { readLocal } from './local.ts';
import { readLastRepair, toRepairRow } from './repairs.ts';
import { readLastScrubs } from './scrubs.ts';

/** Databases whose destinations are listed at the same time. */
const LISTED_MAX = 32;

export async function describeStatus(
  databases: readonly DatabaseConfig[],
  connections: Destinations,
  signal: AbortSignal,
): Promise<DatabaseRow[]> {
  return await mapLimited(databases, LISTED_MAX, (database) =>
    describe(database, connections, signal),
  );
}

/**
 * For the JSON, which would not say otherwise that nothing of these directories is replicated. A directory that has no
 * database yet is healthy: a folder of tenants is empty on its first day.
 */
export function directoryRows({
  failed,
  empty,
}: Readonly<Record<'failed' | 'empty', readonly SilentDirectory[]>>): DatabaseRow[] {
  const toRow = ({ dir, why }: SilentDirectory, problems: readonly string[]): DatabaseRow => ({
    ...{ database: dir, status: 'no database', local_txid: undefined, wal_size: 0 },
    ...{ error: why, error_since: undefined, replicator: 'not asked: it is a directory' },
    ...{ commits_seen: undefined, healthy: problems.length === 0, problems, destinations: [] },
  });
  return [
    ...failed.map((each) => toRow(each, [each.why])),
    ...empty.map((each) => toRow(each, [])),
  ];
}

async function describe(
  database: DatabaseConfig,
  connections: Destinations,
  signal: AbortSignal,
): Promise<DatabaseRow> {
  // Read before the listing, because everything confirmed by then must be listed. Read again after it, so that
  // the local state is at least as new as the listings.
  const before = await readLocal(database.options, signal);
  const listed = await Promise.all(
    database.destinations.map(async (destination): Promise<Listed> => {
      try {
        return await listHighest(destination, connections, signal);
      } catch (error) {
        signal.throwIfAborted();
        return { kind: 'failed', error };
      }
    }),
  );
  const drills = await readLastDrills(database);
  const local = await readLocal(database.options, signal, before);
  const health = withDrillProblems(healthOf(local), drills);
  const scrubs = await readLastScrubs(database);
  const repair = await readLastRepair(database);
  const now = new Date();
  const row = describeDatabase(
    health,
    database.destinations.map((destination, index) =>
      describeDestination(destination, listed[index] as Listed, {
        health,
        before: before.state,
        now,
        drill: drills.get(destination.name),
        scrub: scrubs.get(destination.name),
        drillEveryMs: database.drills[destination.name]?.everyMs,
      }),
    ),
  );
  return repair === undefined ? row : { ...row, repair: toRepairRow(repair, now) };
}
