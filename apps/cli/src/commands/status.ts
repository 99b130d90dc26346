/**
 * sluice status: reads the local state from the state file in the staging folder, or asks the replicator if that file is
 * old, and lists each destination once. Works whether or not a replicator runs.
 */

import { messageOf } from '@sluice/core';
import type { Arguments } from '../args.ts';
import { loadConfig } from '../config/load.ts';
import type { DatabaseConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { interruptible } from '../interrupt.ts';
import { mapLimited } from '../limited.ts';
import { createLogger } from '../log.ts';
import { findDatabase } from '../select.ts';
import { printJSON, printTable, type Shell } from '../shell.ts';
import {
  describeDatabase,
  describeDestination,
  healthOf,
  withDrillProblems,
  type DatabaseRow,
  type DestinationRow,
} from '../status/describe.ts';
import { describeLastDrill, describeNoDrill, readLastDrills } from '../status/drills.ts';
import { describeScrub, readLastScrubs } from '../status/scrubs.ts';
import { stoppedDatabases, withStopped } from '../status/stopped.ts';
import { listHighest, type Listed } from '../status/listing.ts';
import { readLocal } from '../status/local.ts';

/** Databases whose destinations are listed at the same time. */
const LISTED_MAX = 32;

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const config = await loadConfig(args, shell);
  const [argument] = args.positionals;
  const databases =
    argument === undefined ? config.databases : [findDatabase(config, argument, args)];
  const { stderr, secrets } = shell;
  const logger = createLogger({ level: 'error', type: 'text', stream: stderr, secrets });
  await using connections = new Destinations(logger, 'read');
  const found = await interruptible((signal) =>
    mapLimited(databases, LISTED_MAX, (database) => describe(database, connections, signal)),
  );
  const rows = withStopped(found, await stoppedDatabases(args, shell, found));
  if (args.has('json')) printJSON(shell, rows);
  else print(rows, databases, shell);
  const unreadable = argument === undefined ? (config.unreadable ?? []) : [];
  for (const { dir, why } of unreadable) {
    stderr.write(`sluice: nothing of the directory ${dir} is replicated: ${why}\n`);
  }
  if (unreadable.length > 0) return EXIT_CODES.behind;
  const isHealthy = rows.every(({ status, healthy }) => status === 'ok' && healthy);
  return isHealthy ? EXIT_CODES.ok : EXIT_CODES.behind;
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
  const now = new Date();
  return describeDatabase(
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
}

function print(
  rows: readonly DatabaseRow[],
  databases: readonly DatabaseConfig[],
  shell: Shell,
): void {
  for (const [index, row] of rows.entries()) {
    const { database, local_txid: txid, wal_size: walSize, replicator, error } = row;
    const status = row.status === 'ok' && !row.healthy ? 'unhealthy' : row.status;
    const since = row.error_since === undefined ? '' : ` since ${row.error_since}`;
    const isListed = error === undefined || row.problems.includes(error); // printed below
    const why = isListed ? '' : `: ${error}`;
    shell.stdout.write(
      `${database}: ${status}${since}${why}, TXID ${txid ?? '-'}, WAL ${walSize} bytes, ${replicator}\n`,
    );
    printTable(
      shell,
      ['  destination', 'state', 'lag', 'txid', 'fencing', 'last success', 'last error'],
      row.destinations.map(toCells),
    );
    for (const { name, drill, scrub } of row.destinations) {
      if (scrub !== undefined) shell.stdout.write(`  ${describeScrub(name, scrub)}\n`);
      const everyMs = databases[index]?.drills[name]?.everyMs;
      if (drill !== undefined) shell.stdout.write(`  ${describeLastDrill(name, drill)}\n`);
      else if (everyMs !== undefined) shell.stdout.write(`  ${describeNoDrill(name, everyMs)}\n`);
    }
    for (const problem of row.problems) shell.stdout.write(`  ! ${problem}\n`);
  }
}

function toCells(row: DestinationRow): string[] {
  return [
    `  ${row.name}`,
    row.state,
    row.lag_seconds === undefined ? '-' : `${row.lag_seconds.toFixed(1)}s`,
    row.txid ?? '-',
    row.fencing ?? '-',
    row.last_success_at ?? '-',
    messageOf(row.last_error ?? ''),
  ];
}
