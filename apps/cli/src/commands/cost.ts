/** sluice cost: what a month of backups costs at each destination, from observed or given rates. */

import fs from 'node:fs/promises';
import { completeOptions, RETENTION_DEFAULTS } from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import type { Arguments } from '../args.ts';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';
import { readCostFlags, type CostFlags } from '../costing/flags.ts';
import { forecast, type Schedule } from '../costing/model.ts';
import { moneyFor } from '../costing/money.ts';
import { observe, type Observation } from '../costing/observe.ts';
import { pricesOf } from '../costing/prices.ts';
import { costingToJSON, describeCosting, type Costing } from '../costing/text.ts';
import { toWorkload } from '../costing/workload.ts';
import { Destinations } from '../destinations.ts';
import { visitEach } from '../each-destination.ts';
import { createLogger } from '../log.ts';
import { select } from '../select.ts';
import { printJSON, type Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const flags = readCostFlags(args);
  const { secrets, stderr } = shell;
  const logger = createLogger({ level: 'warn', type: 'text', stream: stderr, secrets });
  const { database, destinations } = await select(args, shell);
  const fileBytes = await sizeOf(database);
  const context = { flags, fileBytes, database, logger };
  const rows: Costing[] = [];
  await using connections = new Destinations(logger, 'read');
  const exitCode = await visitEach(destinations, logger, async (destination, signal) => {
    rows.push(await costOf(destination, connections, { ...context, signal }));
  });
  if (args.has('json')) printJSON(shell, rows.map(costingToJSON));
  else for (const row of rows) shell.stdout.write(`${describeCosting(row).join('\n')}\n`);
  return exitCode;
}

/** Settings of the database and the destination, and for a URL the defaults. */
function scheduleOf(
  database: DatabaseConfig | undefined,
  destination: DestinationConfig,
  { schedule }: CostFlags,
): Schedule {
  const { syncIntervalMs, snapshotIntervalMs, levels } = completeOptions(
    database?.options ?? { path: '/' },
  );
  const policy = database === undefined ? RETENTION_DEFAULTS : destination.retention;
  return {
    syncIntervalMs,
    levelsMs: levels.map(({ intervalMs }) => intervalMs),
    snapshotIntervalMs: destination.snapshotIntervalMs ?? snapshotIntervalMs,
    retentionMs: policy?.retentionMs ?? Infinity,
    l0RetentionMs: policy?.l0RetentionMs ?? Infinity,
    ...schedule,
  };
}

interface CostContext {
  readonly flags: CostFlags;
  readonly fileBytes: number | undefined;
  readonly database: DatabaseConfig | undefined;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

async function costOf(
  destination: DestinationConfig,
  connections: Destinations,
  { flags, fileBytes, database, signal }: CostContext,
): Promise<Costing> {
  const { name, target } = destination;
  const schedule = scheduleOf(database, destination, flags);
  const isGiven = [flags.commitsPerHour, flags.bytesPerCommit, flags.databaseBytes].every(
    (value) => value !== undefined,
  );
  let observed: Observation | undefined;
  let deleteMax = 1;
  if (!isGiven) {
    const { client, capabilities } = await connections.open(destination, signal);
    const files = await Array.fromAsync(client.listFiles('all', { signal }));
    observed = observe(files, new Date());
    deleteMax = capabilities.deleteMax ?? 1;
  } else if (destination.type === 's3') {
    deleteMax = S3_DELETE_MAX;
  }
  const workload = toWorkload({ name, flags, observed, fileBytes });
  const prices = flags.prices ?? pricesOf(destination);
  const found = forecast(workload, schedule, { deleteMax });
  const money = moneyFor(found, prices);
  return { name, target, workload, schedule, observed, forecast: found, prices, money };
}

/** Without a connection, a forecast from flags alone still counts the requests of S3. */
const S3_DELETE_MAX = 1_000;

async function sizeOf(database: DatabaseConfig | undefined): Promise<number | undefined> {
  if (database === undefined) return undefined;
  try {
    return (await fs.stat(database.options.path)).size;
  } catch {
    return undefined; // not on this machine: then the size must be observed or given
  }
}
